import pytest
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, State, every_way, replies

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    OK,
)
from qpsmtpd.smtp.reply import REPLIES, encode, encode_line, fixed, status_of

COLUMNS = (DENY, DENYSOFT, DENY_DISCONNECT, DENYSOFT_DISCONNECT, OK, DECLINED)
#: what the client sends until the hook runs, and the number of replies before its own
TALK = {
    "connect": (b"", 0),
    "helo": (b"HELO h\r\n", 1),
    "ehlo": (b"EHLO h\r\n", 1),
    "mail": (HELLO + MAIL, 2),
    "rcpt": (ENVELOPE, 3),
    "data": (ENVELOPE + b"DATA\r\n", 4),
    "data_headers_end": (ENVELOPE + b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n", 5),
    "data_post_headers": (ENVELOPE + b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n", 5),
    "data_post": (ENVELOPE + b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n", 5),
    "queue_pre": (ENVELOPE + b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n", 5),
    "queue": (ENVELOPE + b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n", 5),
    "vrfy": (b"VRFY x\r\n", 1),
    "noop": (b"NOOP\r\n", 1),
    "help": (b"HELP\r\n", 1),
    "quit": (b"QUIT\r\n", 1),
    "unrecognized_command": (b"XYZZY\r\n", 1),
}
#: codes by hook, in the order of COLUMNS; a negative one ends the connection
CODES = {
    "connect": (-550, -450, -550, -450, 220, 220),
    "helo": (550, 450, -550, -450, 250, 250),
    "ehlo": (550, 450, -550, -450, 250, 250),
    "mail": (550, 450, -550, -421, 250, 250),
    "rcpt": (550, 450, -550, -421, 250, 450),
    "data": (554, 451, -554, -451, 354, 354),
    "data_headers_end": (554, 451, -554, -421, 250, 250),
    "data_post_headers": (552, 452, -552, -452, 250, 250),
    "data_post": (552, 452, -552, -452, 250, 250),
    "queue_pre": (552, 452, -552, -452, 250, 250),
    "queue": (552, 452, 451, 451, 250, 451),
    "vrfy": (554, 252, 252, 252, 250, 252),
    "noop": (500, 250, -500, 250, 250, 250),
    "help": (500, 214, 214, 214, 214, 214),
    "quit": (-221, -221, -221, -221, -221, -221),
    "unrecognized_command": (500, 500, -521, 500, 500, 500),
}
CELLS = [
    pytest.param(hook, result, code, id=f"{hook}-{result.name}")
    for hook, row in CODES.items()
    for result, code in zip(COLUMNS, row, strict=True)
]
AROUND = {"rcpt": OK, "queue": OK}


def test_the_table_of_this_test_is_the_table():
    assert set(CODES) == set(TALK) == set(REPLIES)
    assert all(set(row) == set(COLUMNS) for row in REPLIES.values())


@pytest.mark.parametrize(("hook", "result", "code"), CELLS)
def test_a_result_becomes_its_reply(hook, result, code):
    octets, before = TALK[hook]
    outcome = every_way(octets, {**AROUND, hook: result}, trailing=hook != "noop")
    assert outcome.codes[before:] == [abs(code)]
    closed = code < 0
    assert (outcome.state is State.CLOSED) == closed
    text = outcome.replies[-1]
    cell = REPLIES[hook][result]
    if cell.code and "{" not in cell.text:
        assert cell.text.split("\n")[-1] in text
    assert "{" not in text


@pytest.mark.parametrize(("hook", "result", "code"), CELLS)
def test_a_plugins_text_takes_the_place_of_the_default(hook, result, code):
    octets, before = TALK[hook]
    answers = {**AROUND, hook: (result, "first\r\nsecond", "third")}
    outcome = every_way(octets, answers, trailing=hook != "noop")
    assert outcome.codes[before:] == [abs(code)]
    if not REPLIES[hook][result].code:
        assert "second" not in outcome.replies[-1]
    elif result is not DECLINED:  # whose text nobody asks for
        lines = outcome.replies[-1].split("\n")
        assert [line.rpartition(" ")[2].rpartition("-")[2] for line in lines] == [
            "first",
            "second",
            "third",
        ]


@pytest.mark.parametrize("hook", sorted(CODES))
def test_done_sends_what_the_plugin_sent_and_nothing_else(hook):
    octets, before = TALK[hook]

    def answer(first, *rest):
        connection = getattr(first, "connection", first)
        connection.respond(299, "mine", "and mine")
        return DONE

    outcome = every_way(octets, {**AROUND, hook: answer}, trailing=False)
    own = outcome.replies[before:]
    assert own[0] == "299-mine\n299 and mine"
    assert len(own) == (2 if hook == "data_headers_end" else 1)  # the message goes on
    assert (outcome.state is State.CLOSED) == (hook == "quit")


def test_a_text_of_nothing_is_no_text():
    assert every_way(b"HELO h\r\n", {"helo": (DENY, "")}).replies[1:] == ["550 Hello denied"]


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("no (#5.7.1)", ("5.7.1", "no")),
        ("no (#5.7.1)  ", ("5.7.1", "no")),
        ("5.7.1 no", ("5.7.1", "no")),
        ("5.7.1", ("5.7.1", "")),
        ("(#4.700.123)", ("4.700.123", "")),
        ("3.7.1 no", ("", "3.7.1 no")),
        ("5.7.1no", ("", "5.7.1no")),
        ("5.7.1234 no", ("", "5.7.1234 no")),
        ("no (#5.7.1) more", ("", "no (#5.7.1) more")),
    ],
)
def test_a_status_code_is_parted_from_its_text(text, parted):
    assert status_of(text) == parted


@pytest.mark.parametrize(
    ("code", "status", "lines", "octets"),
    [
        (550, "5.7.1", ("no",), b"550 5.7.1 no\r\n"),
        (550, "5.0.0", ("no (#5.7.1)",), b"550 5.7.1 no\r\n"),
        (550, "5.0.0", ("5.7.25 no",), b"550 5.7.25 no\r\n"),
        (450, "4.0.0", ("no (#5.7.1)",), b"450 4.7.1 no\r\n"),  # of the reply's class
        (550, "5.0.0", ("a (#5.7.1)", "b"), b"550-5.7.1 a\r\n550 5.7.1 b\r\n"),
        (550, "5.0.0", ("a", "b (#5.7.1)"), b"550-5.0.0 a\r\n550 5.7.1 b\r\n"),
        (250, "", ("plain",), b"250 plain\r\n"),
        (250, "2.0.0", (), b"250 2.0.0 \r\n"),
        (250, "", (), b"250 \r\n"),
        (250, "", ("2 apples",), b"250 2 apples\r\n"),
        (250, "", ("(maybe)",), b"250 (maybe)\r\n"),
    ],
)
def test_status_codes_go_in_front(code, status, lines, octets):
    assert encode(code, status, lines, enhanced=True) == octets


def test_before_ehlo_texts_stay_as_they_are():
    octets = encode(550, "5.7.1", ("no (#5.7.1)", "5.7.1 no"), enhanced=False)
    assert octets == b"550-no (#5.7.1)\r\n550 5.7.1 no\r\n"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("a\rb", b"a?b"),
        ("a\nb", b"a?b"),
        ("a\0b\x07\x1b[1m\x7f", b"a?b??[1m?"),
        ("a\tb", b"a b"),
        ("caf\u00e9", b"caf?"),
        ("\u2028\x85", b"??"),
        ("\ud800", b"?"),
    ],
)
def test_what_may_not_stand_in_a_reply_does_not(text, octets):
    for enhanced, front in ((False, b""), (True, b"5.7.1 ")):
        assert (
            encode(550, "5.7.1", (text,), enhanced=enhanced) == b"550 " + front + octets + b"\r\n"
        )
        assert encode_line(550, "5.7.1", text, enhanced=enhanced) == b""


def test_utf8_is_kept_for_a_transaction_that_asked_for_it():
    octets = encode(250, "2.1.0", ("caf\u00e9",), enhanced=True, utf8=True)
    assert octets == "250 2.1.0 caf\u00e9\r\n".encode()
    assert encode_line(250, "2.1.0", "caf\u00e9", enhanced=True) == b""


LONG = [
    pytest.param(text, id=name)
    for name, text in {
        "one word": "x" * 3000,
        "words": "word " * 700,
        "blanks": " " * 2000,
        "fits": "y" * 490,
        "one too many": "y" * 491,
        "blank at the end": "a" * 489 + " b",
        "wide": "\u20ac" * 900,
    }.items()
]


@pytest.mark.parametrize("text", LONG)
def test_an_over_long_text_becomes_several_lines(text):
    for utf8 in (False, True):
        octets = encode(550, "5.7.1", (text,), enhanced=False, utf8=utf8)
        (reply,) = replies(octets)
        kept = "".join(line[4:] for line in reply.split("\n"))
        assert len(kept.encode().replace(b" ", b"")) >= len(text.replace(" ", ""))


@pytest.mark.parametrize("text", LONG)
def test_each_line_of_an_over_long_text_has_the_status_code(text):
    octets = encode(550, "5.7.1", (text,), enhanced=True)
    (reply,) = replies(octets)
    assert [line[4:9] for line in reply.split("\n") if line[4:9] != "5.7.1"] == []
    assert encode_line(550, "5.7.1", text, enhanced=True) == (b"" if len(text) > 490 else octets)


def test_an_over_long_line_is_cut_between_characters():
    octets = encode(550, "5.7.1", ("\u20ac" * 900,), enhanced=True, utf8=True)
    for line in octets.split(b"\r\n"):
        line.decode()


def test_a_plugins_text_in_any_state_of_health_is_one_reply():
    texts = ["x\ry\0z \u20ac", "w" * 700 + "\r\n.\r\nQUIT", "trailing\n", "\n", "\r", "a\n\nb"]
    for text in texts:
        for octets in (b"HELO h\r\n", HELLO):
            hook = octets[:4].decode().lower()
            outcome = every_way(octets, {hook: (DENY, text)})
            assert outcome.codes == [220, 550]


def test_enhanced_codes_begin_with_ehlo():
    octets = b"NOOP\r\nHELO h\r\nNOOP\r\nEHLO h\r\nNOOP\r\n"
    assert every_way(octets).replies[1:] == [
        "250 OK",
        "250 localhost Hi Unknown [192.0.2.1]; I am so happy to meet you.",
        "250 OK",
        every_way(octets).replies[4],
        "250 2.0.0 OK",
    ]
    assert "ENHANCEDSTATUSCODES" in every_way(octets).replies[4]
    off = every_way(octets, enhanced_status_codes=False)
    assert off.replies[-1] == "250 OK"
    assert "ENHANCEDSTATUSCODES" not in off.replies[4]


def test_a_fixed_reply_is_known_in_both_forms():
    assert fixed(250, "2.0.0", "OK") == (b"250 OK\r\n", b"250 2.0.0 OK\r\n")
    assert REPLIES["queue"][OK].fixed == fixed(250, "2.0.0", "Queued")
    assert REPLIES["quit"][OK].fixed is None
