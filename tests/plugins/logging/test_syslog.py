import syslog

import pytest

from qpsmtpd.constants import LOGINFO, LOGWARN
from qpsmtpd.errors import ConfigError


@pytest.fixture
def written(monkeypatch):
    """What would have gone to the system log."""
    seen = []
    monkeypatch.setattr(syslog, "openlog", lambda *words: seen.append(words))
    monkeypatch.setattr(syslog, "syslog", lambda *words: seen.append(words))
    return seen


def test_the_level_is_the_priority(load, event, written):
    plugin = load("logging/syslog")
    assert written == [("qpsmtpd", syslog.LOG_PID, syslog.LOG_MAIL)]
    plugin.hook_logging(event(LOGWARN, "50% full", plugin="relay", hook="connect"))
    plugin.hook_logging(event(LOGINFO, "too much"))
    assert written[1:] == [(syslog.LOG_MAIL | syslog.LOG_WARNING, "50% full")]


def test_the_arguments(load, event, written):
    line = (
        "logging/syslog loglevel 6 priority LOG_NOTICE ident mx facility local3 logsock unix,udp"
    )
    load(line).hook_logging(event(LOGINFO, "text"))
    assert written == [
        ("mx", syslog.LOG_PID, syslog.LOG_LOCAL3),
        (syslog.LOG_LOCAL3 | syslog.LOG_NOTICE, "text"),
    ]


@pytest.mark.parametrize("words", ["priority loud", "facility nowhere", "loglevel 9"])
def test_a_wrong_line_is_refused(load, words):
    with pytest.raises(ConfigError):
        load(f"logging/syslog {words}")


def test_the_real_library_takes_it(load, event):
    load("logging/syslog loglevel 7 ident qpsmtpd-test").hook_logging(event(7, "a test"))
