import pytest

from qpsmtpd.plugin import (
    DENY,
    OK,
)
from qpsmtpd.testing import SilenceError


def test_lmtp_answers_for_each_recipient(smtpd):
    smtpd.hook("rcpt", OK)
    with smtpd.connect(protocol="LMTP") as client:
        assert client.deliver("one@example.org", "two@example.org") == 250
        assert client.replies == [(250, "Queued"), (250, "Queued")]


def test_deliver_stops_at_the_first_refusal(smtpd):
    smtpd.load("rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])
    with smtpd.connect() as client:
        assert client.deliver("user@example.com") == 550
        assert client.deliver("user@example.com", "user@example.org", sender="") == 250
        remove = smtpd.hook("data", (DENY, "no"))
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == (554, "no")
    remove()
    smtpd.hook("ehlo", (DENY, "not you"))
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == (550, "not you")
        client.helo()
        smtpd.hook("mail", DENY)
        assert client.deliver("user@example.org") == 250
    [first, second] = smtpd.queued
    assert (str(first.sender), first.recipients) == ("<>", ("user@example.org",))
    assert first.body == second.body == b"It arrived.\n"


def test_dots_and_line_ends_are_the_clients_business(smtpd):
    smtpd.hook("rcpt", OK)
    text = "Subject: x\n\n.\n..a\n\nlast line without an end"
    with smtpd.connect() as client:
        assert client.deliver("user@example.org", text=text) == 250
        assert client.deliver("user@example.org", text="\nno header\n") == 250
        assert client.deliver("user@example.org", text="") == 250
    assert smtpd.queued[0].content.endswith((text + "\n").encode())
    assert smtpd.queued[1].body == b"no header\n"
    assert smtpd.queued[2].body == b""


def test_chunks(smtpd):
    smtpd.hook("rcpt", OK)
    with smtpd.connect() as client:
        client.ehlo()
        client.mail("sender@example.net")
        client.rcpt("<user@example.org>", "NOTIFY=NEVER")
        assert client.bdat(b"Subject: x\r\n") == 250
        assert client.bdat(b"\r\n.\r\n", last=True) == (250, "Queued")
    assert smtpd.queued[0].body == b".\n"


def test_commands_have_methods(smtpd):
    smtpd.hook("rcpt", OK)
    with smtpd.connect() as client:
        assert client.helo() == 250
        assert client.rset() == 250
        assert client.vrfy("user") == 252
        assert client.send(b"NOOP \xff") == 250
        assert client.data() == (503, "MAIL first")
        assert client.lhlo() == 500
        assert client.raw(b"NOOP\r\nNOOP\r\nNO") == [250, 250]
        client.raw(b"OP\r\n")
        assert client.replies == [250]
        client.mail()
        client.rcpt("user@example.org")
        assert client.data() == 354
        with pytest.raises(SilenceError, match="the server waits for more"):
            client.send("Subject: x")
    assert client.transcript[1] == "C: HELO client.example.net"
    assert client.transcript[0].startswith("S: 220 ")


def test_a_client_that_is_not_connected_says_so():
    from qpsmtpd.smtp import Connection  # noqa: PLC0415 - here only
    from qpsmtpd.testing import Client  # noqa: PLC0415 - here only

    client = Client(Connection())
    client.close()
    with pytest.raises(SilenceError, match="not connected"):
        client.noop()
