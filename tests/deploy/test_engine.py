"""What an engine takes from the configuration, and what it says about it."""

import asyncio
import json
import time

import pytest

from qpsmtpd.config import lookup
from qpsmtpd.deploy.engine import Engine
from qpsmtpd.errors import ConfigError
from qpsmtpd.services.dns.contract import Status
from qpsmtpd.services.dns.stub import Manners, StubServer


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(lookup, "_PERIOD", 0.0)
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


@pytest.fixture
def lay(directory):
    """Write a control file by way of a new one; returns its path."""

    def lay(name, content):
        (directory / ".new").write_text(content)
        (directory / ".new").replace(directory / name)
        return directory / name

    return lay


@pytest.fixture
def make(directory, lay):
    """Make an engine for control files."""

    def make(**files):
        for name, content in files.items():
            lay(name, content)
        return Engine({"config_dirs": [str(directory)]})

    return make


@pytest.fixture
def said(capsys):
    """Return the lines of the log since the last time, without process numbers."""
    return lambda: [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]


# ---------------------------------------------------------------------------------- mistakes


def test_a_configuration_without_mistakes_is_not_talked_about(make, said):
    make(plugins="rcpt_ok\n", rcpthosts="example.org\n")
    assert said() == []


def test_one_mistake_is_the_reason_not_to_start(make, directory):
    complaint = f"^{directory}/databytes:1: databytes: 'lots' is no size; write octets"
    with pytest.raises(ConfigError, match=complaint):
        make(databytes="lots\n")


def test_every_mistake_is_named(make, directory, said):
    with pytest.raises(ConfigError, match=r"^the configuration has 2 mistakes, named above$"):
        make(databytes="lots\n", nameservers="127.0.0.1\nns.example.org\n", mee="x\n")
    server = "'ns.example.org' is no DNS server; write an IP address, or [address]:port"
    assert said() == [
        f"{directory}/databytes:1: databytes: 'lots' is no size; write octets, or 500K, 50M, 2G",
        f"{directory}/nameservers:2: {server}",
    ]


def test_every_mistake_in_lines_of_plugins_is_named(make, directory, said):
    with pytest.raises(ConfigError, match=r"^the configuration has 3 mistakes, named above$"):
        make(logging="logging/devnull\nnonsense\n", plugins="relay only maybe\nmilter x\n")
    texts = ("logging:2: no plugin", "plugins:1: relay: arg", "plugins:2: plugin milter")
    for line, text in zip(said(), texts, strict=True):
        assert line.startswith(f"{directory}/{text}")


@pytest.mark.parametrize(("word", "hint"), [("tls", ""), ("lmpt", r" \(did you mean lmtp\?\)")])
def test_words_behind_an_address_that_nobody_goes_by(directory, word, hint):
    known = {"name": "a", "address": "[::]:25", "options": {"proxy": "", "name": "mx"}}
    other = {"name": "b", "address": "[::]:465", "options": {word: ""}}
    options = {"config_dirs": [str(directory)]}
    Engine({**options, "listeners": [known]})
    complaint = rf"^listener \[::\]:465: unknown option '{word}'{hint}; take the word out$"
    with pytest.raises(ConfigError, match=complaint):
        Engine({**options, "listeners": [known, other]})


def test_a_warning_is_given_once(make, directory, said):
    engine = make(mee="x\n")
    warning = (
        f"{directory}/mee: no setting has this name (did you mean me?); nobody reads the file"
    )
    assert said() == [warning]
    engine.refresh()
    engine.tick(0.0)
    assert said() == []


def test_an_edit_that_cannot_be_used_is_named_once_and_changes_nothing(make, lay, said):
    engine = make(databytes="50M\n", rcpthosts="example.org\n", xclient_from="127.0.0.1\n")
    path = lay("databytes", "lots\n")
    engine.tick(0.0)
    complaint = f"{path}:1: databytes: 'lots' is no size; write octets, or 500K, 50M, 2G"
    assert said() == [f"{complaint}; what was there before stays in use"]
    assert engine.settings.databytes == 50 << 20
    other = lay("rcpthosts", "$include nowhere\n")
    engine.tick(0.0)
    assert said() == [f"{other}:1: $include nowhere: there is no such file"]
    lay("databytes", "60M\n")
    engine.tick(0.0)
    assert said() == []
    assert engine.settings.databytes == 60 << 20
    lay("databytes", "lots\n")
    engine.tick(0.0)
    assert said() == [f"{complaint}; what was there before stays in use"]


# ---------------------------------------------------------------------------------- settings


def test_sessions_go_by_an_edited_file(make, lay):
    engine = make(disable_extensions="DSN\n")
    assert "DSN" not in engine.settings.extensions.keywords
    lay("disable_extensions", "CHUNKING\n")
    engine.tick(0.0)
    assert engine.settings.extensions.keywords.isdisjoint({"CHUNKING", "BINARYMIME"})
    assert "DSN" in engine.settings.extensions.keywords


def test_the_log_may_be_json(make, capsys):
    make(log_format="json\n", mee="x\n")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert event["level"] == "LOGWARN"
    assert "nobody reads the file" in event["text"]


def test_a_look_up_takes_no_longer_than_dns_timeout(make):
    async def ask(dns):
        try:
            return await dns.query("example.org", "A")
        finally:
            dns.close()

    with StubServer({}) as server:
        server.misbehave("example.org", Manners.SILENT)
        engine = make(nameservers=f"{server.address}\n", dns_timeout="100ms\n")
        began = time.monotonic()
        assert asyncio.run(ask(engine.services.dns)).status is Status.TIMEOUT
        assert time.monotonic() - began < 3


def test_what_plugins_remember_is_in_state_file(make, tmp_path):
    async def count(store):
        return await store.incr("messages")

    files = {"state_file": f"{tmp_path}/state.sqlite\n"}
    assert [asyncio.run(count(make(**files).services.store)) for _ in range(2)] == [1, 2]


def test_nothing_can_be_remembered_without_a_state_file(make):
    engine = make()
    with pytest.raises(ConfigError, match="name a file in the setting state_file"):
        _ = engine.services.store
