import pytest
from tests.smtp.ways import replies

from qpsmtpd.smtp.extension import KEYWORDS, MAIL_PARAMETERS, RCPT_PARAMETERS, Extensions

ALL = Extensions(1000, 100, 5, ())


def offered(extensions, *more):
    (reply,) = replies(extensions.reply("host Hi", more))
    return [line[4:] for line in reply.split("\n")]


def test_ehlo_offers_everything_in_the_order_of_the_table():
    assert offered(ALL) == [
        "host Hi",
        "PIPELINING",
        "8BITMIME",
        "SIZE 1000",
        "ENHANCEDSTATUSCODES",
        "SMTPUTF8",
        "CHUNKING",
        "BINARYMIME",
        "DSN",
        "LIMITS RCPTMAX=100 MAILMAX=5",
    ]
    assert [line.split(" ")[0] for line in offered(ALL)[1:]] == list(KEYWORDS)


def test_capabilities_of_plugins_come_last():
    assert offered(ALL, "AUTH PLAIN", "XCLIENT")[-3:] == [
        "LIMITS RCPTMAX=100 MAILMAX=5",
        "AUTH PLAIN",
        "XCLIENT",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((0, 0, 0, ()), "SIZE"),
        ((0, 9, 0, ()), "LIMITS RCPTMAX=9"),
        ((0, 0, 9, ()), "LIMITS MAILMAX=9"),
    ],
)
def test_values_follow_the_limits(arguments, line):
    assert line in offered(Extensions(*arguments))


def test_nothing_is_offered_that_was_switched_off():
    assert "LIMITS" not in " ".join(offered(Extensions(0, 0, 0, ())))
    off = offered(Extensions(0, 5, 0, {"chunking", "limits"}))
    assert {"CHUNKING", "BINARYMIME", "LIMITS RCPTMAX=5"}.isdisjoint(off)
    bare = Extensions(0, 0, 0, KEYWORDS)
    assert offered(bare) == ["host Hi"]
    assert offered(bare, "X") == ["host Hi", "X"]


MAIL = [
    ("size", "0", None),
    ("size", "9" * 20, None),
    ("size", "9" * 21, 501),
    ("size", "9" * 300, 501),
    ("size", "-5", 501),
    ("size", "\u0663", 501),
    ("size", "", 501),
    ("size", None, 501),
    ("body", "7bit", None),
    ("body", "8BITMIME", None),
    ("body", "BINARYMIME", None),
    ("body", "9BIT", 501),
    ("body", None, 501),
    ("smtputf8", None, None),
    ("smtputf8", "1", 501),
    ("ret", "FULL", None),
    ("ret", "hdrs", None),
    ("ret", "SOME", 501),
    ("envid", "abc+2B", None),
    ("envid", "a+2b+GG", 501),
    ("envid", "x" * 100, None),
    ("envid", "x" * 101, 501),
    ("auth", "<>", None),
    ("auth", "a+40b", None),
    ("auth", None, 501),
    ("notify", "NEVER", 555),
    ("xyzzy", "1", 555),
    ("size\r\n", "1", 555),
]
RCPT = [
    ("notify", "NEVER", None),
    ("notify", "success,FAILURE,delay", None),
    ("notify", "NEVER,DELAY", 501),
    ("notify", "DELAY,", 501),
    ("notify", "DELAY,DELAY,DELAY,DELAY", 501),
    ("notify", None, 501),
    ("orcpt", "rfc822;a@b.c", None),
    ("orcpt", "utf-8;caf\u00e9@b.c", None),
    ("orcpt", "a@b.c", 501),
    ("orcpt", "rfc822;", 501),
    ("size", "1", 555),
]


@pytest.mark.parametrize(
    ("table", "name", "value", "code"),
    [(MAIL_PARAMETERS, *row) for row in MAIL] + [(RCPT_PARAMETERS, *row) for row in RCPT],
)
def test_parameters_are_held_to_their_table(table, name, value, code):
    objection = ALL.objection({name: value}, table, ())
    if code is None:
        assert objection is None
    else:
        plain, enhanced = objection
        assert (plain[:4], enhanced[:10]) == (b"%d " % code, b"%d 5.5.4 " % code)
        assert replies(plain)


def test_parameters_of_what_is_not_offered_are_unknown():
    without = Extensions(0, 0, 0, {"DSN", "SIZE", "8BITMIME"})
    for name, value in (("ret", "FULL"), ("size", "1"), ("body", "7BIT")):
        assert without.objection({name: value}, MAIL_PARAMETERS, ())[0].startswith(b"555 ")


def test_parameters_of_a_plugins_capability_are_the_plugins():
    assert ALL.objection({"xyz": "1", "foo": None}, MAIL_PARAMETERS, ["XYZ 5", "FOO"]) is None
    assert ALL.objection({"bar": None}, MAIL_PARAMETERS, ["XYZ 5"]) is not None


def test_a_binary_body_needs_its_extension():
    without = Extensions(0, 0, 0, {"BINARYMIME"})
    refusal = without.objection({"body": "BinaryMIME"}, MAIL_PARAMETERS, ())
    assert refusal[1].startswith(b"501 5.6.1 ")
