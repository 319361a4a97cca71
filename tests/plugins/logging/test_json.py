import json

import pytest

from qpsmtpd.constants import LOGINFO, LOGWARN
from qpsmtpd.errors import ConfigError


def test_an_event_is_one_object_on_one_line(load, event, begin, tmp_path):
    path = tmp_path / "log.json"
    plugin = load(f"logging/json loglevel LOGINFO {path}")
    made = event(
        LOGINFO,
        'a "quoted"\n\u2028 text',
        about_client=True,
        plugin="relay",
        hook="connect",
        size=12,
        error=ValueError("why"),
    )
    made.transaction_id = "c1.2"
    made.fields["text"] = "not the text"
    plugin.hook_logging(made)
    plugin.hook_logging(event(LOGWARN, "core"))
    first, second = path.read_text(encoding="ascii").splitlines()
    assert json.loads(first) == {
        "time": "2023-11-14T22:13:20.250000Z",
        "level": "LOGINFO",
        "pid": 77,
        "connection_id": "c1",
        "transaction_id": "c1.2",
        "remote_ip": "192.0.2.1",
        "plugin": "relay",
        "hook": "connect",
        "text": 'a "quoted"\\x0a\\u2028 text',
        "size": 12,
        "error": "why",
    }
    assert json.loads(second) == {
        "time": "2023-11-14T22:13:20.250000Z",
        "level": "LOGWARN",
        "pid": 77,
        "text": "core",
    }


def test_without_a_path_lines_go_to_standard_error(load, event, capsys):
    plugin = load("logging/json")
    assert plugin.log_level_wanted == LOGWARN
    plugin.hook_logging(event(LOGWARN, "yes"))
    plugin.hook_logging(event(LOGINFO, "no"))
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["text"] == "yes"


def test_numbers_that_json_does_not_know(load, event, capsys):
    load("logging/json").hook_logging(event(LOGWARN, "x", load=float("nan")))
    assert json.loads(capsys.readouterr().err)["load"] == "nan"


def test_a_directory_that_is_missing_is_named(load, tmp_path):
    with pytest.raises(ConfigError, match="missing"):
        load(f"logging/json {tmp_path}/missing/log")
