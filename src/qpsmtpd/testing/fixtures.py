"""What pytest finds of qpsmtpd: the fixture ``smtpd``, and where it looks for plugins.

Rule: every run of pytest imports this module, also runs that have nothing to do with mail, so
all else is imported by the fixture.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpsmtpd.testing.smtpd import Smtpd

__all__ = ["pytest_addoption", "smtpd"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``qpsmtpd_plugin_dirs`` of the ini file say where plugins are."""
    text = "directories in which the fixture smtpd looks for plugins, before the bundled ones"
    parser.addini("qpsmtpd_plugin_dirs", text, type="paths", default=[])


@pytest.fixture(params=["blocking", "event loop"])
def smtpd(request: pytest.FixtureRequest, tmp_path: "Path") -> "Iterator[Smtpd]":
    """Run a test against a server in memory, once under each driver; see docs/write/testing.md."""
    from qpsmtpd.testing.smtpd import Smtpd  # noqa: PLC0415 - see the rule above

    search = [str(path) for path in request.config.getini("qpsmtpd_plugin_dirs")]
    with Smtpd(request.param, tmp_path / "config", plugin_dirs=search) as server:
        yield server
