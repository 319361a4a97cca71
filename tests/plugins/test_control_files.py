"""Plugins with the configuration that servers have: lists in files, which may change."""

import pytest

from qpsmtpd.address import Address
from qpsmtpd.config.lookup import Config
from qpsmtpd.constants import DENY, OK


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def config(tmp_path, now):
    (tmp_path / "me").write_text("mx.example.org\n")
    return Config([str(tmp_path)], {}, toml="", clock=lambda: now[0])


def test_an_edit_acts_on_the_next_client_and_lists_are_read_once(
    load, connect, config, now, tmp_path, monkeypatch
):
    monkeypatch.delenv("RELAYCLIENT", raising=False)
    plugin = load("relay")

    def relays():
        connection = connect("192.0.2.1")
        plugin.hook_connect(connection)
        return connection.relay_client

    assert relays() is False
    (tmp_path / "relayclients").write_text("# ours\n192.0.2.0/24\n")
    now[0] += 2
    config.poll()
    assert relays() is True
    table = plugin.tables["relayclients"]
    assert relays() is True
    assert plugin.tables["relayclients"] is table


def test_our_domains_from_files(load, begin, tmp_path):
    (tmp_path / "rcpthosts").write_text("Example.org\n.example.net\n")
    (tmp_path / "morercpthosts").write_text("example.com\n")
    plugin, transaction = load("rcpt_ok"), begin()

    def ask(host):
        answer = plugin.hook_rcpt(transaction, Address("user", host), {})
        return answer if answer is OK else answer[0]

    ours = ["example.org", "a.example.net", "example.com", "mx.example.org"]
    assert [ask(host) for host in ours] == [OK] * 4
    assert [ask(host) for host in ("example.net", "other.example")] == [DENY] * 2


@pytest.mark.parametrize(("text", "on"), [(None, True), ("yes\n", True), ("0\n", False)])
def test_the_switch_of_content_log_as_a_file(load, begin, tmp_path, text, on):
    (tmp_path / "content_log_file").write_text(f"{tmp_path}/log\n")
    if text is not None:
        (tmp_path / "content_log_enabled").write_text(text)
    load("content_log").hook_data_post(begin("user@example.org"))
    assert (tmp_path / "log").exists() is on


def test_a_web_server_speaks_for_a_control_file(load, config, now):
    plugin = load("http_config http://127.0.0.1:1/ fetch badhelo")
    plugin.pages.found["rcpthosts"] = ("example.org",)

    def hook(name):
        answer = plugin.hook_config(name)
        return answer[1:] if isinstance(answer, tuple) else None

    config.hook = hook
    assert config.lines("rcpthosts") == ["example.org"]
    assert config.lines("rcpthosts") is config.lines("rcpthosts")
    assert config.lines("relayclients") == []
    assert plugin.pages.busy.acquire(timeout=10)
