import pytest

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    OK,
    Plugin,
)
from qpsmtpd.testing import SilenceError


class Recorder(Plugin):
    """Writes down what happens."""

    def register(self):
        self.seen = []

    def hook_post_fork(self):
        self.seen.append("post_fork")

    def hook_pre_connection(self, client):
        self.seen.append(("pre_connection", client.remote_ip, client.connections_from_ip))
        client.notes["known"] = True
        return (DENYSOFT, "later") if client.remote_ip == "192.0.2.66" else DECLINED

    def hook_connect(self, connection):
        self.seen.append(("connect", connection.remote_ip, connection.notes.get("known")))

    def hook_reset_transaction(self, transaction):
        self.seen.append("reset_transaction")

    def hook_disconnect(self, connection):
        self.seen.append("disconnect")

    def hook_post_connection(self, connection):
        self.seen.append("post_connection")


def test_a_session_from_beginning_to_end(smtpd):
    [plugin] = smtpd.load(Recorder)
    smtpd.hook("rcpt", OK)
    with smtpd.connect("192.0.2.7") as client:
        assert client.greeting == 220
        assert client.deliver("user@example.org") == (250, "Queued")
        assert client.transaction is None
        client.mail("sender@example.net")
        assert client.transaction.sender == "sender@example.net"
        assert not client.closed
    assert client.closed
    assert plugin.seen == [
        "post_fork",
        ("pre_connection", "192.0.2.7", 0),
        ("connect", "192.0.2.7", True),
        "reset_transaction",
        "reset_transaction",
        "disconnect",
        "post_connection",
    ]
    assert ("recorder", DECLINED) in smtpd.results("connect")


def test_quit_ends_a_session_in_the_order_of_the_original(smtpd):
    [plugin] = smtpd.load(Recorder)
    with smtpd.connect() as client:
        client.ehlo()
        client.mail("sender@example.net")
        assert client.quit() == 221
        assert client.closed
        with pytest.raises(SilenceError, match="the connection is closed"):
            client.noop()
    assert plugin.seen[-3:] == ["disconnect", "reset_transaction", "post_connection"]


def test_pre_connection_refuses_a_client(smtpd):
    smtpd.load(Recorder)
    with smtpd.connect("192.0.2.66") as client:
        assert client.greeting == (451, "later")
        assert client.closed
    assert smtpd.results() == [("recorder", DENYSOFT)]


def test_connections_of_an_address_are_counted(smtpd):
    [plugin] = smtpd.load(Recorder)
    with smtpd.connect("192.0.2.7"), smtpd.connect("192.0.2.7"), smtpd.connect("192.0.2.8"):
        pass
    smtpd.connect("192.0.2.7")
    assert [entry[2] for entry in plugin.seen if entry[0] == "pre_connection"] == [0, 1, 0, 0]


def test_a_client_that_is_silent_hears_so(smtpd):
    smtpd.config(timeoutsmtpd=60)
    with smtpd.connect() as one, smtpd.connect() as other:
        smtpd.clock.advance(50)
        assert other.noop() == 250
        smtpd.clock.advance(11)
        assert one.raw(b"") == [(421, "Connection Timed Out")]
        assert one.closed
        assert not other.closed


def test_what_a_client_says_early_is_pending(smtpd):
    pending = []
    smtpd.hook("connect", lambda connection: pending.append(connection.input_pending()))
    with smtpd.connect(early=b"NOOP\r\n") as client:
        assert [reply.code for reply in client.replies] == [220, 250]
    with smtpd.connect():
        pass
    assert pending == [True, False]


def test_early_words_are_seen_while_a_handler_waits(smtpd):
    pending = []

    async def look(connection):
        await smtpd.services.clock.sleep(1)
        pending.append(connection.input_pending())

    smtpd.hook("connect", look)
    smtpd.connect(early=b"NOOP\r\n")
    smtpd.connect()
    assert pending == [True, False]


def test_the_name_of_a_client(smtpd):
    smtpd.dns.add("1.2.0.192.in-addr.arpa", "PTR", "mail.example.net")
    assert smtpd.connect("192.0.2.1").connection.remote_host == "mail.example.net"
    assert smtpd.connect("192.0.2.2").connection.remote_host == "Unknown"
    assert smtpd.connect("192.0.2.2", remote_host="x").connection.remote_host == "x"
    assert smtpd.results() == []


def test_rights_come_from_settings_or_the_test(smtpd):
    smtpd.config(proxy_from="192.0.2.1", xclient_from="192.0.2.0/24")
    assert smtpd.connect("192.0.2.1").connection.rights == {"xclient"}
    proxy = smtpd.connect("192.0.2.1", proxy=True)
    assert proxy.connection.rights == {"proxy", "xclient"}
    assert proxy.greeting is None
    assert smtpd.connect("192.0.2.1", rights=()).connection.rights == frozenset()
    assert smtpd.connect(rights=["xforward"]).connection.rights == {"xforward"}


def test_a_connection_can_be_prepared(smtpd):
    def prepare(connection):
        connection.notes["karma"] = 7

    client = smtpd.connect(local_port=587, prepare=prepare)
    assert client.connection.notes["karma"] == 7
    assert client.connection.local_port == 587
