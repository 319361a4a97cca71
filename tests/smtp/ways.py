"""Run one wire test every way: whole, byte by byte, at random splits, with trailing data.

Each feeding is served by handlers that answer at once and by handlers that have to wait (threads,
coroutines); what the client gets, what the plugins see and where the session ends must not differ.
"""

import random
import re
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from qpsmtpd.constants import DECLINED, OK
from qpsmtpd.hooks.chain import Chains, Handler, HookCall, Kind, run_blocking
from qpsmtpd.hooks.spec import HOOKS, Scope
from qpsmtpd.smtp import CLOSED, NEED_DATA, Connection, Session, SessionSettings, State

#: one reply: lines with the same code, all but the last marked by a dash, 512 octets at most
REPLY = re.compile(
    rb"(?:(?P<code>[2-5][0-9]{2})-[^\x00-\x08\x0a-\x1f\x7f]{0,506}\r\n"
    rb"(?:(?P=code)-[^\x00-\x08\x0a-\x1f\x7f]{0,506}\r\n)*(?P=code)|[2-5][0-9]{2})"
    rb" [^\x00-\x08\x0a-\x1f\x7f]{0,506}\r\n"
)
ACCEPTING = {"rcpt": OK, "queue": OK}
#: hooks a test can watch without changing what happens
WATCHED = [hook.name for hook in HOOKS.values() if hook.waits and hook.scope is not Scope.PROCESS]
HELLO = b"EHLO client.example.net\r\n"
MAIL = b"MAIL FROM:<a@example.net>\r\n"
RCPT = b"RCPT TO:<b@example.org>\r\n"
ENVELOPE = HELLO + MAIL + RCPT


class Log:
    """A log that keeps its texts."""

    def __init__(self, threshold=7):
        self.threshold = threshold
        self.texts = []

    def log(self, level, text, *, plugin="", hook="", connection=None, **fields):
        self.texts.append(text)


class Outcome(NamedTuple):
    """What a dialogue came to."""

    replies: list  #: texts, lines of one reply joined by newlines
    state: State  #: before the input ended
    calls: list  #: hooks that were run, in order, the closing ones included
    queued: list  #: content of the messages handed on, as received
    results: list  #: of the connection, at its end
    octets: bytes
    session: Session
    log: list

    @property
    def codes(self):
        return [int(reply[:3]) for reply in self.replies]


def lines(*texts):
    """Encode command lines."""
    return b"".join(text.encode() + b"\r\n" for text in texts)


def replies(octets):
    """Cut what the server said into replies, and see that each is well formed."""
    found, position = [], 0
    while position < len(octets):
        match = REPLY.match(octets, position)
        assert match, octets[position : position + 600]
        assert all(len(line) <= 510 for line in match.group().split(b"\r\n"))
        found.append(match.group()[:-2].replace(b"\r\n", b"\n").decode("utf-8", "replace"))
        position = match.end()
    return found


def answering(answer):
    """Make a handler function from an answer."""
    return answer if callable(answer) else lambda *arguments: answer


def handler(hook, answer=DECLINED, kind=Kind.PLAIN, *, eager=False, plugin="test", **options):
    """Make a handler; *answer* is a function, or what one returns."""
    call = answering(answer)
    if kind is Kind.COROUTINE:

        async def waiting(*arguments):
            return call(*arguments)

        return Handler(plugin, HOOKS[hook], waiting, kind, eager=eager, **options)
    return Handler(plugin, HOOKS[hook], call, kind, **options)


def chains(answers, kind=Kind.PLAIN, *, eager=False):
    """Build chains from a dictionary; an answer may be a list, one for each handler."""
    found = []
    for hook, answer in answers.items():
        for one in answer if isinstance(answer, list) else [answer]:
            fitting = kind if HOOKS[hook].waits else Kind.PLAIN
            found.append(handler(hook, one, fitting, eager=eager))
    return Chains(found)


def make(answers=ACCEPTING, *, connection=None, kind=Kind.PLAIN, eager=False, **settings):
    """Make a session with handlers and settings."""
    described = Connection(
        **{"remote_ip": "192.0.2.1", "connection_id": "c1", **(connection or {})}
    )
    return Session(described, chains(answers, kind, eager=eager), SessionSettings(**settings))


def advance(session, run=run_blocking, event=None):
    """Go on until more octets are needed or all is over; returns the event and the output."""
    event = session.next_event() if event is None else event
    out = session.data_to_send()
    while event is not NEED_DATA and event is not CLOSED:
        event = session.next_event(run(event) if isinstance(event, HookCall) else None)
        out += session.data_to_send()
    return event, out


def talk(session, *blocks, run=run_blocking):
    """Feed blocks, the greeting before them; returns what the session said."""
    event, out = advance(session, run)
    for block in filter(None, blocks):
        if event is CLOSED:
            break
        session.feed(block)
        event, more = advance(session, run)
        out += more
    return out


def content(transaction):
    """Return a message as it was received."""
    return b"".join(transaction.message._spool.blocks(0))


def dialogue(answers, blocks, *, watch, kind=Kind.PLAIN, eager=False, connection=None, **settings):
    """Run one dialogue one way, to the end of the connection."""
    calls, queued = [], []

    def note(hook, *arguments):
        calls.append(hook)
        if hook == "queue":
            queued.append(content(arguments[0]))

    given = answers() if callable(answers) else answers
    every: dict[str, Any] = dict(given)
    for hook in WATCHED if watch else ():
        own = every.get(hook, [])
        every[hook] = [partial(note, hook), *(own if isinstance(own, list) else [own])]
    log = Log()
    described = {"logger": log, **(connection or {})}
    session = make(every, connection=described, kind=kind, eager=eager, **settings)
    octets = talk(session, *blocks)
    state = session.state
    if state is not State.CLOSED:
        session.feed(b"")
        event, late = advance(session)
        assert event is CLOSED
        assert late == b""
    assert session.state is State.CLOSED
    assert session.transaction is None
    assert session.next_event() is CLOSED
    assert session.data_to_send() == b""
    results = [result for result in session.connection.results if result[2] is not DECLINED]
    return Outcome(replies(octets), state, calls, queued, results, octets, session, log.texts)


def pieces(octets, most):
    """Cut octets at up to *most* random places; pytest-randomly seeds the dice."""
    places = range(1, len(octets))
    cuts = sorted(random.sample(places, min(most, len(places))))
    return [octets[a:b] for a, b in pairwise([0, *cuts, len(octets)])]


def single(octets):
    """Cut octets one by one, or in small pieces when they are many."""
    size = 1 + len(octets) // 5000
    return [octets[n : n + size] for n in range(0, len(octets), size)]


def every_way(octets, answers=ACCEPTING, *, trailing=True, calls=True, **options):
    """Run a dialogue every way and return what it came to.

    Args:
        octets: what the client sends.
        answers: hook to answer or answers; or a function that makes them, if they keep state.
        trailing: also send NOOP behind it, which must be answered if the session is still open.
        calls: the hooks run must be the same ones, too.
        options: ``connection`` (a dictionary) and settings of the session.
    """
    run = partial(dialogue, answers, **options)
    first = run([octets], watch=True)
    feedings = {
        "byte by byte": single(octets),
        "split once": pieces(octets, 1),
        "split": pieces(octets, 12),
    }
    for name, blocks in feedings.items():
        for kind in (Kind.PLAIN, Kind.BLOCKING):
            same(first, run(blocks, watch=True, kind=kind), f"{name}, {kind.value}", calls=calls)
    same(first, run([octets], watch=True, kind=Kind.BLOCKING), "whole, blocking")
    same(first, run([octets], watch=True, kind=Kind.COROUTINE), "whole, coroutine")
    same(first, run([octets], watch=True, kind=Kind.COROUTINE, eager=True), "whole, eager")
    unwatched = run([octets], watch=False)  # empty chains
    assert (unwatched.replies, unwatched.state) == (first.replies, first.state)
    if trailing and first.state not in {State.DATA, State.PROXY}:
        more = run([octets + b"NOOP\r\n"], watch=True)
        if first.state is State.CLOSED:
            same(first, more, "trailing")
        else:
            assert more.replies[:-1] == first.replies
            assert more.replies[-1] in {"250 OK", "250 2.0.0 OK"}
    return first


def same(first, other, way, *, calls=True):
    """See that two outcomes are the same; *way* says how the other one came about."""
    assert (way, other.replies) == (way, first.replies)
    assert (way, other.state, other.queued) == (way, first.state, first.queued)
    if calls:
        assert (way, other.calls) == (way, first.calls)
        assert (way, other.results) == (way, first.results)
