from tests.smtp.ways import ENVELOPE, RCPT, every_way, make

from qpsmtpd.constants import DENY, OK
from qpsmtpd.smtp.trace import add_trace_fields
from qpsmtpd.smtp.transaction import Transaction


def stored(octets, *, answers=None, **options):
    """Return the header fields of the message that was queued."""
    seen = []

    def queue(transaction):
        seen.append(transaction.message.header.to_bytes())
        return OK

    every_way(octets, {"rcpt": OK, "queue": queue, **(answers or {})}, **options)
    return seen[0].decode()


MESSAGE = b"DATA\r\nSubject: x\r\nAuthentication-Results: mx.example.org; spf=pass\r\n\r\n.\r\n"


def test_a_message_gets_its_trace_fields():
    header = stored(
        ENVELOPE + MESSAGE,
        me="mx.example.org",
        connection={"remote_info": "client.example.net"},
    )
    assert header.startswith("Authentication-Results: mx.example.org; auth=none\n")
    assert "from client.example.net (HELO client.example.net) (192.0.2.1)" in header
    assert "by mx.example.org" in header
    assert "with ESMTP" in header
    assert "for <b@example.org>" in header
    assert "Original-Authentication-Results: mx.example.org; spf=pass" in header


def test_recipients_are_not_told_of_each_other():
    assert "for <" not in stored(ENVELOPE + RCPT + MESSAGE)


def test_logins_and_results_are_told():
    def connect(connection, result=OK):
        connection.auth_user, connection.auth_mechanism = "me@x.y", "plain"
        connection.authenticated = result
        connection.notes["authentication_results"] = ["spf=pass smtp.mailfrom=x.y"]

    header = stored(ENVELOPE + MESSAGE, answers={"connect": connect})
    assert "auth=pass (plain) smtp.auth=me@x.y" in header
    assert "spf=pass" in header
    assert "with ESMTPA" in header
    failed = stored(ENVELOPE + MESSAGE, answers={"connect": lambda c: connect(c, DENY)})
    assert "auth=fail" in failed


def test_no_results_are_added_where_they_are_switched_off():
    header = stored(ENVELOPE + MESSAGE, auth_results_id="none")
    assert header.count("Authentication-Results:") == 1
    assert "Original" not in header


def test_a_hello_cannot_write_header_fields():
    octets = b"EHLO a)\xff\x1b(b\\ c\r\n" + ENVELOPE.partition(b"\r\n")[2] + MESSAGE
    header = stored(octets)
    assert header.isascii()
    assert "\x1b" not in header


def test_without_a_message_nothing_is_added():
    session = make()
    add_trace_fields(session, Transaction(session.connection))
    assert session.data_to_send() == b""
