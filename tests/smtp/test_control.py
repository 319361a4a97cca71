import pytest
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, State, every_way, lines

from qpsmtpd.constants import DENY, DENY_DISCONNECT, DONE


def test_rset_ends_the_transaction():
    outcome = every_way(ENVELOPE + b"RSET\r\nRCPT TO:<x@y.z>\r\n")
    assert outcome.replies[-2:] == ["250 2.0.0 OK", "503 5.5.1 Use MAIL before RCPT"]
    assert outcome.calls.count("reset_transaction") == 1
    assert outcome.state is State.READY
    assert every_way(b"RSET\r\nRSET\r\n").codes == [220, 250, 250]
    assert every_way(ENVELOPE + b"RSET now\r\n").replies[-1].startswith("501 5.5.4 ")


def test_noop_help_and_vrfy_get_their_argument():
    seen = []
    answers = {
        hook: lambda connection, argument: seen.append(argument)
        for hook in ("noop", "help", "vrfy")
    }
    outcome = every_way(b"noop a  b \r\nHELP me\r\nVRFY <foo@bar>\r\n", answers, trailing=False)
    assert set(seen) == {"a  b", "me", "<foo@bar>"}
    assert outcome.codes == [220, 250, 214, 252]


def test_help_tells_the_version_only_if_asked_to():
    assert every_way(b"HELP\r\n").replies[1].startswith("214-This is qpsmtpd\n214-See https://")
    told = every_way(b"HELP\r\n", version="2.0")
    assert told.replies[1].startswith("214-This is qpsmtpd 2.0\n")
    enhanced = every_way(HELLO + b"HELP\r\n").replies[-1]
    assert all(line[4:10] == "2.0.0 " for line in enhanced.split("\n"))


def test_a_refused_vrfy_ends_the_transaction():
    outcome = every_way(ENVELOPE + b"VRFY x\r\nDATA\r\n", {"rcpt": 900, "vrfy": DENY})
    assert outcome.codes[-2:] == [554, 503]
    kept = every_way(ENVELOPE + b"VRFY x\r\nRCPT TO:<b@c.d>\r\n")
    assert kept.codes[-1] == 250


def test_expn_is_nobodys_business():
    assert every_way(b"EXPN staff\r\n").replies[1] == "502 EXPN is not implemented"


def test_quit_ends_the_session_in_order():
    outcome = every_way(ENVELOPE + b"QUIT\r\nNOOP\r\n", me="mx.example.org")
    assert outcome.replies[-1] == (
        "221 2.0.0 mx.example.org closing connection. Have a wonderful day."
    )
    assert outcome.calls[-4:] == ["quit", "disconnect", "reset_transaction", "post_connection"]
    assert outcome.state is State.CLOSED
    assert every_way(b"QUIT\r\n", {"quit": (DENY, "bye")}).replies[1] == "221 bye"
    silent = every_way(b"QUIT\r\n", {"quit": DONE})
    assert (silent.codes, silent.state) == ([220], State.CLOSED)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b"", ("", "")),
        (b" NOOP", ("", "NOOP")),
        (b"NOOP\t", ("noop\t", "")),
        (b"XyZ  a b ", ("xyz", "a b")),
        (b"nonsense", ("nonsense", "")),
        (b"\xff\0", ("\ufffd\0", "")),
        (b"NO\0OP", ("no\0op", "")),
        (b"AUTH PLAIN xx", ("auth", "PLAIN xx")),
        (b"STARTTLS", ("starttls", "")),
        ("\u017bNOOP".encode(), ("\u017cnoop", "")),
        (b"\xc5\xbfTARTTLS", ("\u017ftarttls", "")),  # its capital is an S elsewhere
    ],
)
def test_what_is_no_command_is_shown_to_plugins(line, seen):
    got = []
    answers = {"unrecognized_command": lambda connection, *words: got.append(words)}
    outcome = every_way(line + b"\r\n", answers)
    assert outcome.replies[1:] == ["500 Unrecognized command"]
    assert set(got) == {seen}


def test_a_plugin_may_know_a_command():
    def answer(connection, verb, argument):
        connection.respond(250, f"{verb} {argument}", "done")
        return DONE

    outcome = every_way(b"XYZZY a\r\n", {"unrecognized_command": answer})
    assert outcome.replies[1] == "250-xyzzy a\n250 done"


def test_a_plugin_may_end_a_session_of_nonsense():
    def answers():
        count = []

        def answer(connection, verb, argument):
            count.append(verb)
            return (DENY_DISCONNECT, "bye") if len(count) == 4 else None

        return {"unrecognized_command": answer}

    outcome = every_way(b"nonsense\r\n" * 5, answers)
    assert outcome.codes == [220, 500, 500, 500, 521]
    assert outcome.state is State.CLOSED


@pytest.mark.parametrize("verb", ["GET / HTTP/1.1", "POST / HTTP/1.1", "put x", "CONNECT h:25"])
def test_verbs_of_other_protocols_end_the_session(verb):
    outcome = every_way(lines(verb, "Host: x", "", "EHLO h", "MAIL FROM:<a@b.c>"))
    assert outcome.replies[1:] == ["421 This is an SMTP server, bye"]
    assert outcome.state is State.CLOSED
    assert outcome.calls == ["connect", "disconnect", "post_connection"]
    assert f"client speaks another protocol: {verb.split(' ')[0]}" in outcome.log


def test_a_tls_hello_is_no_command():
    octets = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2 + b"\r\n"
    outcome = every_way(octets + MAIL)
    assert set(outcome.codes[1:]) <= {500, 503}
