import pytest

from qpsmtpd.constants import LOGERROR, LOGINFO, LOGNOTICE, LOGWARN


def test_a_line_is_that_of_the_built_in_log(load, event, capsys):
    plugin = load("logging/warn")
    plugin.hook_logging(event(LOGWARN, "pass", plugin="relay", hook="connect"))
    plugin.hook_logging(event(LOGERROR, "core"))
    assert capsys.readouterr().err == "77 (connect) relay: pass\n77 core\n"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("logging/warn", LOGWARN),
        ("logging/warn 6", LOGINFO),
        ("logging/warn LOGNOTICE", LOGNOTICE),
        ("logging/warn loglevel 3", LOGERROR),
    ],
)
def test_the_level(load, event, capsys, line, level):
    plugin = load(line)
    assert plugin.log_level_wanted == level
    plugin.hook_logging(event(level, "yes"))
    plugin.hook_logging(event(level + 1, "no"))
    assert capsys.readouterr().err == "77 yes\n"
