"""BDAT (RFC 3030)."""

import pytest
from tests.smtp.ways import (
    ACCEPTING,
    ENVELOPE,
    HELLO,
    MAIL,
    RCPT,
    State,
    dialogue,
    every_way,
    lines,
)

from qpsmtpd.constants import (
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
)

DATA = ENVELOPE + b"DATA\r\n"
TEXT = b"Subject: x\r\n\r\nbody\r\n"
END = b".\r\n"
LHLO = b"LHLO client.example.net\r\n"
LMTP = {"connection": {"protocol": "LMTP"}}
TAIL = ["reset_transaction", "disconnect", "post_connection"]


def chunk(text, *, last=False, size=None):
    return b"BDAT %d%s\r\n" % (len(text) if size is None else size, b" LAST" * last) + text


BINARY = HELLO + b"MAIL FROM:<a@b.c> BODY=BINARYMIME\r\n" + RCPT
BIG = chunk(TEXT + b"x" * 2000, last=True)


def test_chunks_make_a_message():
    octets = ENVELOPE + chunk(b"A: b\r\n\r") + chunk(b"\n.dot\r\n") + chunk(b"", last=True)
    outcome = every_way(octets)
    assert outcome.replies[4:] == [
        "250 2.0.0 7 octets received",
        "250 2.0.0 7 octets received",
        "250 2.0.0 Queued",
    ]
    assert outcome.queued == [b"A: b\n\n.dot\n"]
    assert outcome.calls.count("data") == outcome.calls.count("data_headers_end") == 1


@pytest.mark.parametrize("text", [b"", b"x", b"A: b\r\n\r\nc", b"A: b\r", b".\r\n", b"\r\n.\r\n"])
def test_a_message_may_come_in_one_chunk(text):
    outcome = every_way(ENVELOPE + chunk(text, last=True), bare_newline="accept")
    assert outcome.codes[-1] == 250
    assert outcome.queued == [text.replace(b"\r\n", b"\n")]


def test_binary_chunks_are_kept_as_they_are():
    text = b"A: b\r\n\r\n\0\r\n.\r\n\n\r\xff"
    outcome = every_way(BINARY + chunk(text[:7]) + chunk(text[7:], last=True))
    assert outcome.codes[-2:] == [250, 250]
    assert outcome.queued == [text]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 12])
def test_a_bare_line_end_in_chunks_is_refused_with_the_last(cut):
    text = b"A: b\r\n\r\nx\ny\r\n"
    outcome = every_way(ENVELOPE + chunk(text[:cut]) + chunk(text[cut:], last=True))
    assert outcome.codes[4:] == [250, 554]
    normal = every_way(ENVELOPE + chunk(text, last=True), bare_newline="normalize")
    assert normal.queued == [b"A: b\n\nx\ny\n"]


def test_a_carriage_return_at_the_very_end_may_end_the_header():
    outcome = every_way(ENVELOPE + chunk(b"A: b\r\n\r", last=True), bare_newline="normalize")
    assert outcome.queued == [b"A: b\n\n"]
    assert outcome.calls.count("data_headers_end") == 1
    closed = every_way(
        ENVELOPE + chunk(b"A: b\r\n\r", last=True),
        {**ACCEPTING, "data_headers_end": DENY_DISCONNECT},
        bare_newline="normalize",
    )
    assert closed.codes[4:] == [554]
    assert closed.state is State.CLOSED


@pytest.mark.parametrize(
    ("before", "replies"),
    [
        (HELLO, [503]),
        (HELLO + MAIL, [503]),
        (b"", [503]),
    ],
)
def test_chunks_out_of_sequence_are_consumed_exactly(before, replies):
    inside = b"QUIT\r\n" * 3
    outcome = every_way(before + chunk(inside) + chunk(inside, last=True))
    assert outcome.codes[-2:] == replies * 2
    assert "data" not in outcome.calls
    assert outcome.state is not State.CLOSED


def test_a_chunk_is_no_way_around_the_hello():
    outcome = every_way(b"BDAT 0 LAST\r\n" + MAIL)
    assert outcome.codes == [220, 503, 503]
    assert outcome.state is State.HELLO


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "-5",
        "-5 LAST",
        "+5",
        "5 FIRST",
        "5LAST",
        "0x5",
        "5 5",
        "9" * 300,
        "\u0665",
        "5.0",
        "LAST",
    ],
)
def test_a_chunk_of_unknown_size_ends_the_session(argument):
    outcome = every_way(ENVELOPE + f"BDAT {argument}\r\n".encode() + b"QUIT\r\n")
    assert outcome.replies[4:] == ["501 5.5.4 Syntax: BDAT size [LAST]"]
    assert outcome.state is State.CLOSED


def test_bdat_is_unknown_where_it_is_not_offered():
    outcome = every_way(ENVELOPE + chunk(b"x"), disabled_extensions=frozenset({"CHUNKING"}))
    assert outcome.replies[4:] == ["500 5.5.1 Unrecognized command"]
    assert outcome.state is State.CLOSED


@pytest.mark.parametrize("argument", ["4 last", "4  LAST ", "0000000000000000004 LAST"])
def test_the_argument_of_bdat_may_be_spelled_so(argument):
    outcome = every_way(ENVELOPE + f"bdat {argument}\r\nx\r\n\r".encode() + b"\nNOOP\r\n"[1:])
    assert outcome.codes[4] in {250, 554}


def test_a_huge_chunk_takes_no_memory_once_refused():
    octets = ENVELOPE + chunk(b"x" * 5000, size=10**19)
    outcome = dialogue(ACCEPTING, [octets, *[b"x" * 5000] * 20], watch=True, databytes=1000)
    assert outcome.codes == [220, 250, 250, 250]
    assert outcome.state is State.DATA


def test_chunks_over_the_limit_are_refused_and_consumed():
    inside = b"NOOP\r\n" * 100
    octets = ENVELOPE + chunk(inside) + chunk(inside) + chunk(inside, last=True)
    outcome = every_way(octets, databytes=700)
    assert outcome.replies[4:] == [
        "250 2.0.0 600 octets received",
        "552 5.3.4 Message too big!",
        "503 5.5.1 MAIL first",
    ]
    assert outcome.queued == []


def test_a_line_of_a_chunk_is_held_to_its_limit():
    octets = ENVELOPE + chunk(b"A: b\r\n\r\n" + b"y" * 101 + b"\r\n", last=True)
    assert every_way(octets, max_text_line=100).codes[-1] == 554


def test_within_chunks_nothing_else_goes_on():
    talk = lines("EHLO h", "HELO h", "LHLO h", "MAIL FROM:<x@y.z>", "RCPT TO:<x@y.z>", "DATA")
    outcome = every_way(ENVELOPE + chunk(b"A: b\r\n") + talk + chunk(b"\r\n", last=True))
    assert outcome.codes[5:-1] == [503] * 6
    assert outcome.codes[-1] == 250
    assert outcome.queued == [b"A: b\n\n"]


def test_rset_ends_the_chunks():
    outcome = every_way(ENVELOPE + chunk(b"A: b\r\n") + b"RSET\r\n" + chunk(b"x", last=True))
    assert outcome.codes[4:] == [250, 250, 503]
    again = every_way(
        ENVELOPE + chunk(b"old\r\n") + b"RSET\r\n" + MAIL + RCPT + chunk(b"new\r\n", last=True)
    )
    assert again.queued == [b"new\n"]


@pytest.mark.parametrize(
    ("result", "codes", "closed"),
    [
        (DENY, [554, 503], False),
        (DENYSOFT, [451, 503], False),
        (DENY_DISCONNECT, [554], True),
        (DENYSOFT_DISCONNECT, [451], True),
        (DONE, [], True),
    ],
)
def test_the_data_hook_may_refuse_the_first_chunk(result, codes, closed):
    inside = b"RSET\r\n" * 2
    octets = ENVELOPE + chunk(inside) + chunk(inside, last=True)
    outcome = every_way(octets, {**ACCEPTING, "data": result})
    assert outcome.codes[4:] == codes
    assert (outcome.state is State.CLOSED) == closed


@pytest.mark.parametrize(
    ("result", "codes"), [(DENY, [554, 503]), (DENYSOFT, [451, 503]), (DENY_DISCONNECT, [554])]
)
def test_the_header_of_a_chunk_may_be_refused(result, codes):
    octets = ENVELOPE + chunk(TEXT) + chunk(TEXT, last=True)
    outcome = every_way(octets, {**ACCEPTING, "data_headers_end": result})
    assert outcome.codes[4:] == codes
