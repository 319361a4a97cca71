"""The configuration to start with."""

import re
import tomllib

import pytest

from qpsmtpd.config import SETTINGS, Config, starter
from qpsmtpd.config.carriers import TOML
from qpsmtpd.errors import ConfigError


def test_what_is_written_has_no_mistakes(tmp_path):
    paths = starter.write(str(tmp_path / "c" / "q"), me="mx.example.org", maildir="/var/m")
    assert sorted(paths) == sorted(map(str, (tmp_path / "c" / "q").iterdir()))
    config = Config(directories=[f"{tmp_path}/c/q"])
    assert config.check() == []
    assert config.get("me") == "mx.example.org"
    assert config.lines("rcpthosts") == ["localhost", "mx.example.org"]
    assert config.lines("relayclients") == ["127.0.0.1"]
    assert [(line.name, line.args) for line in config.plugin_lines("plugins")] == [
        ("hosts_allow", []),
        ("relay", []),
        ("earlytalker", []),
        ("count_unrecognized_commands", ["4"]),
        ("noop_counter", []),
        ("rcpt_ok", []),
        ("queue/maildir", ["/var/m"]),
    ]


def test_localhost_is_named_once():
    files = starter.files(me="localhost", maildir="/m")
    assert files["rcpthosts"].count("localhost\n") == 1


def test_every_setting_is_described_with_its_default(tmp_path):
    text = starter.files(me="x", maildir="/m")[TOML]
    tables = tomllib.loads(re.sub(r"^# (?=[\w-]+ = )", "", text, flags=re.MULTILINE))
    described = {name for table in tables.values() for name in table}
    apart = {"me", "IP", "plugins"}
    assert described == {name for name in SETTINGS if not SETTINGS[name].owner} - apart
    assert all(len(line) < 100 for line in text.split("\n"))
    (tmp_path / TOML).write_text(re.sub(r"^# (?=[\w-]+ = )", "", text, flags=re.MULTILINE))
    config, untouched = Config(directories=[str(tmp_path)]), Config(directories=[])
    assert config.check() == []
    assert {name: config.get(name) for name in SETTINGS} == {
        name: untouched.get(name) for name in SETTINGS
    }


@pytest.mark.parametrize("name", ["plugins", TOML])
def test_nothing_is_written_over(tmp_path, name):
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(ConfigError, match=rf"/{name}: is there already; nothing was written"):
        starter.write(str(tmp_path), me="x", maildir="/m")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("me", "maildir"),
    [
        *(("", "/m"), ("a b", "/m"), ("#a", "/m"), ("$include", "/m"), ("a\x1b", "/m")),
        *(("a", ""), ("a", "/my mail"), ("a", "/m\n"), ("a", "/größe")),
    ],
)
def test_names_that_cannot_be_used(me, maildir):
    with pytest.raises(ConfigError, match="cannot be used"):
        starter.files(me=me, maildir=maildir)
