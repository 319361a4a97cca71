import pytest
from tests.smtp.ways import (
    ACCEPTING,
    ENVELOPE,
    HELLO,
    MAIL,
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
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    LOGINFO,
    LOGNOTICE,
    LOGWARN,
    OK,
)
from qpsmtpd.hooks.chain import Chains, HookCall, Kind
from qpsmtpd.hooks.verdict import PASS
from qpsmtpd.smtp import CLOSED, FLUSH, NEED_DATA, Connection, Session, SessionSettings, State

#: what leads to each state, and whether a transaction is open there
PLACES = {
    State.PROXY: (b"PROXY TCP4", False),
    State.HELLO: (b"", False),
    State.READY: (HELLO, False),
    State.MAIL: (HELLO + MAIL, True),
    State.RCPT: (ENVELOPE, True),
    State.DATA: (ENVELOPE + b"DATA\r\nA: b\r\n\r\ntext", True),
    State.BDAT: (ENVELOPE + b"BDAT 4\r\nA: b", True),
}
LEFT = ["reset_transaction", "disconnect", "post_connection"]
PARTED = ["disconnect", "reset_transaction", "post_connection"]


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


def expected(order, state):
    return [hook for hook in order if hook != "reset_transaction" or PLACES[state][1]]


@pytest.mark.parametrize("state", PLACES)
@pytest.mark.parametrize("way", ["end", "abandon", "timeout", "session timeout", "shutdown"])
def test_wherever_it_ends_the_closing_hooks_run_once_and_in_order(state, way):
    session, calls = watched(ACCEPTING, state=state)
    talk(session, PLACES[state][0])
    assert session.state is state
    transaction = session.transaction
    calls.clear()
    event = None
    if way == "end":
        session.feed(b"")
    elif way == "abandon":
        event = session.abandon()
    elif way == "shutdown":
        session.shutdown()
        session.shutdown()
        assert session.stopping
        assert session.interruptible == (state is not State.DATA)
    else:
        session.timeout(session=way == "session timeout")
    event, out = advance(session, event=event)
    assert out.count(b"\r\n") <= 1
    if way == "shutdown" and state is State.DATA:
        assert (event, out, calls) == (NEED_DATA, b"", [])
        session.feed(b"\r\n.\r\nNOOP\r\n")
        event, out = advance(session)
        assert [reply[:3] for reply in replies(out)] == ["250", "421"]
        calls = [hook for hook in calls if hook in LEFT]
    elif state is not State.PROXY:
        codes = [] if way in {"end", "abandon"} else ["421"]
        assert [reply[:3] for reply in replies(out)] == codes
    assert event is CLOSED
    assert calls == expected(LEFT, state)
    assert session.state is State.CLOSED
    assert session.transaction is session.connection.transaction is None
    assert session.abandon() is CLOSED
    assert session.next_event() is CLOSED
    if transaction is not None and transaction.message is not None:
        with pytest.raises(ValueError, match="closed"):
            transaction.message._spool.blocks(0)


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ({}, "421 4.4.2 Connection Timed Out"),
        ({"session": True}, "421 4.3.2 Session has lasted too long, bye"),
    ],
)
def test_a_timeout_says_why(way, text):
    session = make()
    talk(session, HELLO)
    session.timeout(**way)
    assert replies(advance(session)[1]) == [text]


@pytest.mark.parametrize("hook", [name for name in WATCHED if not name.startswith("auth")])
def test_a_client_that_leaves_while_a_hook_waits_gets_the_closing_hooks(hook):
    """Each hook in turn is the one that waits."""
    session, calls = watched(ACCEPTING, waits={hook})
    octets = ENVELOPE + lines("NOOP", "HELP", "VRFY x", "FOO", "DATA", ".", "HELO h", "QUIT")
    event = session.next_event()
    session.feed(octets)
    while event is NEED_DATA or event is FLUSH:
        event = session.next_event()
    assert isinstance(event, HookCall)
    assert event.hook == hook
    calls.append(hook)
    event = session.abandon()
    while event is not CLOSED:
        assert isinstance(event, HookCall)
        calls.append(event.hook)
        event = session.next_event(PASS)
    closing = [name for name in calls if name in LEFT]
    for name in ("disconnect", "post_connection"):
        assert calls.count(name) == 1
    assert calls.count("reset_transaction") == (hook not in {"connect", "ehlo"})
    assert closing[-1] == "post_connection"
    assert session.transaction is None


def test_a_session_that_never_began_can_be_abandoned():
    session, calls = watched()
    assert session.abandon() is CLOSED
    assert calls in ([], ["disconnect", "post_connection"])


@pytest.mark.pure
def test_a_session_that_failed_can_be_abandoned(monkeypatch):
    session = make()
    talk(session, HELLO)

    def fail(*arguments):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Session, "send", fail)
    session.feed(b"RSET\r\n")
    with pytest.raises(RuntimeError):
        session.next_event()
    assert session.abandon() is CLOSED


# Time


def test_a_message_has_its_own_time():
    settings = {"command_timeout": 300, "data_timeout": 60, "data_min_rate": 100}
    session = make(**settings)
    talk(session, ENVELOPE)
    assert session.time_limit == 300
    steps = session.steps
    talk(session, b"DATA\r\n")
    assert session.time_limit == 60
    assert session.steps > steps
    steps = session.steps
    talk(session, b"x" * 1000)
    assert (session.time_limit, session.steps) == (70, steps)  # the clock goes on
    talk(session, b"\r\n.\r\n")
    assert session.time_limit == 300
    assert session.steps > steps


def test_without_a_rate_each_block_is_a_step():
    session = make(data_min_rate=0, data_timeout=60)
    talk(session, ENVELOPE + b"DATA\r\n")
    steps = session.steps
    talk(session, b"x")
    assert session.time_limit == 60
    assert session.steps > steps


def test_each_command_is_a_step_and_half_a_line_is_none():
    session = make()
    talk(session, HELLO)
    steps = session.steps
    talk(session, b"NO")
    assert session.steps == steps
    talk(session, b"OP\r\n")
    assert session.steps == steps + 1


def test_a_shutdown_lets_no_further_command_in():
    session = make()
    talk(session, HELLO)
    session.shutdown()
    session.feed(MAIL * 3)
    event, out = advance(session)
    assert event is CLOSED
    assert replies(out) == ["421 4.3.2 Service shutting down, please try again"]


def test_while_a_command_is_served_the_session_is_not_interruptible():
    session, _ = watched(waits={"noop"})
    talk(session)
    assert session.interruptible
    session.feed(b"NOOP\r\n")
    assert isinstance(session.next_event(), HookCall)
    assert not session.interruptible
    session.shutdown()
    event = session.next_event(PASS)
    assert event is CLOSED
    assert [reply[:3] for reply in replies(session.data_to_send())] == ["250", "421"]


# Hooks


def test_a_handler_that_fails_costs_that_handler_only():
    def dead(*arguments):
        raise RuntimeError("dead")

    for hook, octets, code in (
        ("connect", b"", 220),
        ("helo", b"HELO h\r\n", 250),
        ("mail", HELLO + MAIL, 250),
        ("queue", ENVELOPE + b"DATA\r\n.\r\n", 250),
        ("quit", b"QUIT\r\n", 221),
        ("noop", b"NOOP\r\n", 250),
    ):
        for bad in (dead, 123456, "nonsense", (), object()):
            outcome = every_way(octets, {**ACCEPTING, hook: [bad, ACCEPTING.get(hook, DECLINED)]})
            assert outcome.codes[-1] == code
        assert (
            "FATAL PLUGIN ERROR [test]: dead" in every_way(octets, {**ACCEPTING, hook: dead}).log
        )


@pytest.mark.parametrize(
    ("answers", "reply"),
    [
        ([(DENY, "noway")], "550 noway"),
        ([(DENY_DISCONNECT, "boo")], "550 boo"),
        ([(DENYSOFT, "comeback")], "450 comeback"),
        ([DECLINED, (DENY, "gotcha")], "550 gotcha"),
        ([123456, (DENY, "goaway")], "550 goaway"),
        ([None, (DENY, "nm")], "550 nm"),
        (
            [(OK, "bemyguest"), DENY],
            "250 fqdn Hi test@localhost [127.0.0.1]; I am so happy to meet you.",
        ),
    ],
)
def test_chains_of_the_originals_tests(answers, reply):
    outcome = every_way(
        b"HELO h\r\n",
        {"helo": answers},
        me="fqdn",
        connection={"remote_info": "test@localhost", "remote_ip": "127.0.0.1"},
    )
    assert outcome.replies[1] == reply
    assert (outcome.state is State.CLOSED) == (reply == "550 boo")


def test_results_of_a_transaction_go_with_it():
    seen = []
    answers = {**ACCEPTING, "connect": OK, "mail": OK}
    session = make({**answers, "queue": lambda t: (seen.extend(t.connection.results), OK)[1]})
    talk(session, ENVELOPE + b"DATA\r\n.\r\n")
    assert [hook for _, hook, _ in seen] == ["connect", "mail", "rcpt"]
    assert session.connection.results == [("test", "connect", OK)]


def test_the_connection_can_be_traced():
    told = []
    connection = Connection()
    connection.trace = lambda hook, plugin, verdict: told.append((hook, plugin, verdict.result))
    handlers = [handler("noop"), handler("noop", OK, plugin="second")]
    session = Session(connection, Chains(handlers), SessionSettings())
    talk(session, b"NOOP\r\n")
    assert told == [("noop", "test", DECLINED), ("noop", "second", OK)]


def test_octets_no_command_has_used_are_pending():
    session, _ = watched(waits={"noop"})
    talk(session)
    session.feed(b"NOOP\r\n")
    session.next_event()
    assert not session.connection.input_pending()
    session.feed(b"X")
    assert session.connection.input_pending()
    assert not Connection().input_pending()


# Counters and log


def test_commands_and_refusals_are_counted_by_verb():
    outcome = every_way(
        ENVELOPE + MAIL + lines("FOO", "BAR", "DATA", "mail x"), {"rcpt": DENYSOFT}
    )
    session = outcome.session
    assert session.counts == {"ehlo": 1, "mail": 3, "rcpt": 1, "unknown": 2, "data": 1}
    assert session.refusals == {"rcpt": 1, "unknown": 2, "data": 1, "mail": 1}
    assert (session.errors, session.bad_recipients) == (4, 0)
    assert session.connection.command_counter == 8


def test_lines_and_replies_are_logged_but_no_credentials():
    outcome = every_way(b"HELP\r\nAUTH PLAIN AGEAYg==\r\nauth plain x y\r\nAUTH AGEAYg==\r\n")
    assert "dispatching HELP" in outcome.log
    assert "214-This is qpsmtpd" in outcome.log
    assert "dispatching AUTH PLAIN <hidden credentials>" in outcome.log
    assert "dispatching auth plain <hidden credentials>" in outcome.log
    assert not any("AGEAYg" in text for text in outcome.log if "PLAIN" in text)


@pytest.mark.parametrize(
    ("level", "some"), [(LOGWARN, False), (LOGNOTICE, False), (LOGINFO, True)]
)
def test_what_nobody_reads_is_not_written(level, some):
    log = Log(level)
    talk(make(connection={"logger": log}), HELLO)
    assert bool([text for text in log.texts if "dispatching" in text]) == some


# Greeting and answers


def test_the_greeting():
    assert every_way(b"").replies == [
        "220 localhost ESMTP qpsmtpd ready; send us your mail, but not your spam."
    ]
    assert (
        every_way(b"", version="2.0", me="mx").replies[0].startswith("220 mx ESMTP qpsmtpd 2.0 ")
    )
    assert every_way(b"", greeting="Hello there ESMTP").replies == ["220 Hello there ESMTP"]
    assert every_way(b"", greeting="Hello").replies == ["220 Hello ESMTP"]


@pytest.mark.parametrize("greeting", ["", "Hello", "Hello ESMTP", "mx ESMTP ready"])
def test_an_lmtp_greeting_says_lmtp(greeting):
    (reply,) = every_way(b"", greeting=greeting, connection={"protocol": "LMTP"}).replies
    assert "LMTP" in reply.split(" ")
    assert "ESMTP" not in reply.split(" ")


def test_a_plugin_may_say_anything_and_it_is_still_a_reply():
    def noop(connection, argument):
        connection.respond(250, "a\r\nQUIT", "b\0", "\u20ac" * 600)
        return 910

    assert every_way(b"NOOP\r\n", {"noop": noop}, trailing=False).codes == [220, 250]
    Connection().respond(250, "nobody listens")


def test_pipelined_commands_are_answered_with_one_write():
    session = make()
    talk(session)
    session.feed(ENVELOPE + b"DATA\r\n")
    assert session.next_event() is NEED_DATA
    assert len(replies(session.data_to_send())) == 4


def test_every_session_of_one_set_of_settings_is_its_own():
    one, other = make(), make()
    talk(one, HELLO)
    assert other.state is State.GREETING
    assert one.receiver is other.receiver is None


def test_a_session_that_was_released_is_over():
    session = make()
    talk(session, HELLO)
    session.release()
    assert session.next_event() is CLOSED
    assert session.connection.peek is session.connection.respond_with is None
