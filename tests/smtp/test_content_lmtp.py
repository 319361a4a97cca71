"""LMTP: an answer for each recipient (RFC 2033)."""

import pytest
from tests.smtp.ways import (
    ACCEPTING,
    ENVELOPE,
    MAIL,
    every_way,
)

from qpsmtpd.constants import (
    DENY,
    DENYSOFT,
    DONE,
    OK,
)

DATA = ENVELOPE + b"DATA\r\n"
TEXT = b"Subject: x\r\n\r\nbody\r\n"
END = b".\r\n"
LHLO = b"LHLO client.example.net\r\n"
LMTP = {"connection": {"protocol": "LMTP"}}
TAIL = ["reset_transaction", "disconnect", "post_connection"]


def chunk(text, *, last=False, size=None):
    return b"BDAT %d%s\r\n" % (len(text) if size is None else size, b" LAST" * last) + text


def lmtp(*recipients):
    return LHLO + MAIL + b"".join(b"RCPT TO:<%s@example.org>\r\n" % name for name in recipients)


def test_lmtp_answers_for_each_recipient():
    outcome = every_way(lmtp(b"a", b"b") + b"DATA\r\n" + TEXT + END, **LMTP)
    assert outcome.codes[5:] == [354, 250, 250]
    assert every_way(LHLO + MAIL + b"DATA\r\n", **LMTP).codes[-1] == 503
    chunks = every_way(lmtp(b"a", b"b") + chunk(TEXT) + chunk(b"", last=True), **LMTP)
    assert chunks.codes[5:] == [250, 250, 250]


def test_lmtp_recipients_may_have_answers_of_their_own():
    def queue(transaction):
        first, second, *_ = transaction.recipients
        transaction.refuse(first, DENY, "full", "really")
        transaction.refuse(second, DENYSOFT)
        return OK, "done"

    octets = lmtp(b"a", b"b", b"c") + b"DATA\r\n" + TEXT + END
    outcome = every_way(octets, {"rcpt": OK, "queue": queue}, **LMTP)
    assert outcome.replies[6:] == [
        "354 go ahead",
        "552-5.7.1 full\n552 5.7.1 really",
        "452 4.3.0 Message denied temporarily",
        "250 2.0.0 done",
    ]


@pytest.mark.parametrize("hook", ["data_post", "queue", "data_headers_end"])
def test_lmtp_refusals_are_for_all(hook):
    octets = lmtp(b"a", b"b") + b"DATA\r\n" + TEXT + END
    outcome = every_way(octets, {**ACCEPTING, hook: (DENY, "no")}, **LMTP)
    assert outcome.codes[6:] in ([552, 552], [554, 554])
    assert {reply[3:] for reply in outcome.replies[6:]} == {" 5.7.1 no"}


def test_lmtp_messages_over_a_limit_are_answered_for_each_recipient():
    octets = lmtp(b"a", b"b") + b"DATA\r\n" + TEXT + b"x" * 999 + b"\r\n" + END
    assert every_way(octets, calls=False, databytes=500, **LMTP).codes[5:] == [354, 552, 552]


def test_lmtp_answers_a_refused_chunk_once_unless_it_is_the_last():
    octets = lmtp(b"a", b"b") + chunk(b"x" * 1000)
    assert every_way(octets, databytes=500, **LMTP).codes[5:] == [552], "RFC 2033 section 4.3"
    octets = lmtp(b"a", b"b") + chunk(b"x" * 1000, last=True)
    assert every_way(octets, databytes=500, **LMTP).codes[5:] == [552, 552]


def test_lmtp_done_means_the_plugin_has_answered_for_all():
    def queue(transaction):
        for _ in transaction.recipients:
            transaction.connection.respond(250, "mine")
        return DONE

    octets = lmtp(b"a", b"b") + b"DATA\r\n" + TEXT + END
    assert every_way(octets, {"rcpt": OK, "queue": queue}, **LMTP).replies[6:] == ["250 mine"] * 2


def test_lmtp_recipients_can_only_be_refused():
    def queue(transaction):
        transaction.refuse(transaction.recipients[0], DONE)
        return OK

    outcome = every_way(
        lmtp(b"a") + b"DATA\r\n" + TEXT + END, {"rcpt": OK, "queue": queue}, **LMTP
    )
    assert len(outcome.codes) == 6


def test_only_lmtp_has_answers_by_recipient():
    def queue(transaction):
        transaction.refuse(transaction.recipients[0], DENY)
        return OK

    outcome = every_way(DATA + TEXT + END, {"rcpt": OK, "queue": queue})
    assert outcome.codes[-1] == 451  # the handler failed
    assert any("only LMTP" in text for text in outcome.log)
