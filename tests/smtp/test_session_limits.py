"""Lines and limits of a session."""

import pytest
from tests.smtp.ways import (
    HELLO,
    MAIL,
    RCPT,
    WATCHED,
    Log,
    advance,
    every_way,
    handler,
    lines,
    make,
    replies,
    talk,
)

from qpsmtpd.constants import (
    DENY,
    DENYSOFT,
)
from qpsmtpd.hooks.chain import Chains, Kind
from qpsmtpd.smtp import CLOSED, FLUSH, NEED_DATA, Connection, Session, SessionSettings, State


def watched(answers=(), *, state=None, waits=(), **options):
    """Make a session whose hooks are noted; those in *waits* wait."""
    calls = []
    handlers = []
    for hook in WATCHED:
        kind = Kind.BLOCKING if hook in waits else Kind.PLAIN
        handlers.append(handler(hook, lambda *a, hook=hook: calls.append(hook), kind))
        if hook in dict(answers):
            handlers.append(handler(hook, dict(answers)[hook]))
    rights = frozenset({"proxy"} if state is State.PROXY else ())
    connection = Connection("192.0.2.1", rights=rights, logger=options.pop("logger", Log()))
    return Session(connection, Chains(handlers), SessionSettings(**options)), calls


# Lines


@pytest.mark.parametrize(
    "octets",
    [b"NOOP\n", b"NOOP\r\r\n", b"NO\rOP\r\n", b"\rNOOP\r\n", b"\n", b"NOOP\r\nNOOP\n\r\n"[6:]],
)
def test_a_bare_line_end_in_a_command_is_refused(octets):
    outcome = every_way(octets)
    assert set(outcome.replies[1:]) <= {
        "500 A line ends in CRLF; this one has a bare CR or LF (RFC 5321 section 2.3.8)",
        "500 Unrecognized command",
    }
    assert "RFC 5321" in outcome.replies[1]
    assert "noop" not in outcome.calls


@pytest.mark.parametrize("policy", ["normalize", "accept"])
def test_a_bare_line_end_in_a_command_may_be_accepted(policy):
    outcome = every_way(b"noop foo\nHELO h\n\r\nNOOP\r\r\n", bare_newline=policy)
    assert outcome.codes == [220, 250, 250, 500, 250]
    inside = every_way(b"HELO a\rb\r\n", bare_newline=policy)
    assert inside.session.connection.hello_host == "a?b"
    smuggled = every_way(b"NOOP\rQUIT\r\n", bare_newline=policy)
    assert smuggled.codes == [220, 500]


def test_a_line_may_be_as_long_as_the_limit():
    assert every_way(b"NOOP " + b"x" * 93 + b"\r\n", max_line=100).codes == [220, 250]
    outcome = every_way(b"NOOP " + b"x" * 94 + b"\r\n", max_line=100)
    assert outcome.replies[1:] == ["500 Command line too long"]
    smuggled = every_way(b"NOOP " + b"x" * 9000 + b" MAIL FROM:<a@b.c>\r\n")
    assert smuggled.codes == [220, 500]


def test_a_line_of_a_hundred_megabytes_takes_no_memory():
    session = make()
    talk(session)
    block = b"x" * 65536
    for _ in range(1600):
        session.feed(block)
        assert session.next_event() is NEED_DATA
    assert not session.input.buffer
    session.feed(b"\r\nNOOP\r\n")
    assert [reply[:3] for reply in replies(advance(session)[1])] == ["500", "250"]


def test_the_end_of_input_in_a_line_runs_nothing():
    session, calls = watched()
    talk(session, b"NOOP")
    session.feed(b"")
    assert advance(session) == (CLOSED, b"")
    assert "noop" not in calls


def test_commands_fed_together_with_the_end_are_served():
    session = make()
    talk(session)
    session.feed(b"NOOP\r\nNOOP\r\n")
    session.feed(b"")
    event, out = advance(session)
    assert event is CLOSED
    assert out == b"250 OK\r\n" * 2


# Limits


@pytest.mark.parametrize(
    ("octets", "settings", "codes"),
    [
        (b"NONSENSE\r\n" * 9, {"max_errors": 3}, [500, 500, 500, 421]),
        (b"\n" * 9, {"max_errors": 3}, [500, 500, 500, 421]),
        (b"x" * 2000 + b"\r\n", {"max_errors": 1}, [500, 421]),
        (MAIL * 9, {"max_errors": 2}, [503, 503, 421]),
        (b"NOOP\r\n" * 9, {"max_junk": 3}, [250, 250, 250, 421]),
        (
            lines("RSET", "VRFY a", "EXPN a", "HELP", "NOOP"),
            {"max_junk": 5},
            [250, 252, 502, 214, 250, 421],
        ),
        (b"HELO a\r\nEHLO a\r\nLHLO a\r\n", {"max_junk": 3}, [250, 250, 500, 421]),
    ],
)
def test_a_client_that_brings_no_mail_is_sent_away(octets, settings, codes):
    outcome = every_way(octets, trailing=False, **settings)
    assert outcome.codes[1:] == codes
    assert outcome.state is State.CLOSED
    assert outcome.calls[-2:] == ["disconnect", "post_connection"]
    assert "421 4.7.0" in outcome.replies[-1] or outcome.replies[-1].startswith("421 Too m")


def test_refused_recipients_are_counted_by_themselves():
    octets = HELLO + MAIL + RCPT * 5
    outcome = every_way(octets, {"rcpt": DENY}, max_errors=2, max_bad_recipients=3)
    assert outcome.codes[3:] == [550, 550, 550, 421]
    soft = every_way(octets, {"rcpt": DENYSOFT}, max_errors=2, max_bad_recipients=3)
    assert soft.codes[3:] == [450] * 5


def test_no_limit_is_no_limit():
    octets = b"NONSENSE\r\nNOOP\r\n" * 200 + HELLO + MAIL + RCPT * 200
    outcome = every_way(octets, {"rcpt": DENY}, max_errors=0, max_junk=0, max_bad_recipients=0)
    assert outcome.state is State.MAIL


def test_much_output_is_sent_before_more_commands_are_served():
    session = make(max_junk=0)
    talk(session)
    session.feed(b"HELP\r\n" * 5000)
    flushes = 0
    while (event := session.next_event()) is FLUSH:
        assert len(session.data_to_send()) < 40_000
        flushes += 1
    assert event is NEED_DATA
    assert flushes > 10


@pytest.mark.parametrize("octets", [b"\n" * 5000, (b"x" * 1500 + b"\r\n") * 2000])
def test_refused_lines_do_not_fill_the_memory_with_replies(octets):
    session = make(max_errors=0)
    talk(session)
    session.feed(octets)
    event = FLUSH
    while event is FLUSH:
        event = session.next_event()
        assert len(session.data_to_send()) < 40_000


def test_abandoned_between_two_writes():
    session, calls = watched(max_junk=0)
    talk(session)
    session.feed(b"HELP\r\n" * 5000)
    assert session.next_event() is FLUSH
    assert session.abandon() is CLOSED
    assert calls[-2:] == ["disconnect", "post_connection"]
