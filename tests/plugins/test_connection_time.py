import pytest

from qpsmtpd.constants import LOGERROR, LOGINFO, LOGNOTICE
from qpsmtpd.plugin.loader import handlers


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("connection_time", LOGINFO),
        ("connection_time 5", LOGNOTICE),
        ("connection_time LOGNOTICE", LOGNOTICE),
        ("connection_time loglevel notice", LOGNOTICE),
    ],
)
def test_the_time_is_logged_at_the_level_given(load, connect, clock, log, line, level):
    plugin = load(line)
    connection = connect()
    plugin.start(connection)
    clock.advance(1.25)
    plugin.hook_post_connection(connection)
    assert log.lines == [(level, "1.250 s.")]


def test_a_connection_that_was_not_seen_is_an_error(load, connect, log):
    load("connection_time").hook_post_connection(connect())
    assert log.lines == [(LOGERROR, "Start time not set?!")]


def test_it_is_the_first_to_see_a_client(load):
    plugins = [load("loadcheck"), load("connection_time")]
    connect = [one.plugin for one in handlers(plugins) if one.hook.name == "connect"]
    assert connect == ["connection_time", "loadcheck"]


def test_time_before_the_session_counts_where_it_is_known(load, connect, clock, log):
    plugin, connection = load("connection_time"), connect()
    plugin.hook_pre_connection(connection)  # whose notes are the client's
    clock.advance(2)
    plugin.start(connection)
    plugin.hook_post_connection(connection)
    assert log.texts() == ["2.000 s."]
