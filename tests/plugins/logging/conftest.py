"""What tests of logging plugins share: events."""

import pytest

from qpsmtpd.plugin import LogEvent


@pytest.fixture
def event(connect):
    """Make an event; those about a client belong to connection c1."""

    def event(level, text, *, about_client=False, plugin="", hook="", **fields):
        connection = connect() if about_client else None
        made = LogEvent(level, text, plugin, hook, connection, fields)
        made.pid, made.time = 77, 1_700_000_000.25
        return made

    return event
