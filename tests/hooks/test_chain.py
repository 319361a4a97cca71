import asyncio

import pytest
from tests.smtp.ways import Log, handler

from qpsmtpd.constants import DECLINED, DENY, DENYSOFT, DONE, LOGDEBUG, LOGERROR, OK
from qpsmtpd.hooks.ask import ask
from qpsmtpd.hooks.chain import (
    Chains,
    HookCall,
    Kind,
    Suspended,
    begin,
    resume,
    run,
    run_blocking,
    step,
)
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.hooks.verdict import PASS
from qpsmtpd.smtp.connection import Connection

KINDS = [
    (Kind.PLAIN, False),
    (Kind.BLOCKING, False),
    (Kind.COROUTINE, False),
    (Kind.COROUTINE, True),
]


def dead(*arguments):
    raise RuntimeError("dead")


def verdict_of(handlers, connection=None, *, watched=False):
    """Run a chain to its end where waiting is allowed."""
    chains = Chains(handlers)
    connection = connection or Connection(logger=Log(LOGERROR))
    found = run(handlers[0].hook.name, chains, (connection, "x"), connection, watched)
    return run_blocking(found) if isinstance(found, HookCall) else found


class Pause:
    """Something to wait for; remembers what was sent or thrown in."""

    def __init__(self):
        self.got = None

    def __await__(self):
        try:
            self.got = yield "paused"
        except KeyError as error:
            self.got = error
        return self.got


def test_every_hook_has_a_chain_in_the_order_of_registration():
    first, second = handler("helo", plugin="a"), handler("helo", plugin="b")
    chains = Chains([first, second])
    assert set(chains) == set(HOOKS)
    assert chains["helo"] == (first, second)
    assert chains["ehlo"] == ()
    assert run("ehlo", chains, (), Connection()) is PASS


def test_a_handler_knows_how_it_is_called():
    plain = handler("queue")
    assert (plain.timeout, plain.on_error, plain.inline) == (300.0, DECLINED, True)
    waiting = handler("queue", kind=Kind.BLOCKING, timeout=1.5, on_error=DENY)
    assert (waiting.timeout, waiting.on_error, waiting.inline) == (1.5, DENY, False)
    assert repr(waiting) == "<blocking handler test hook_queue>"


@pytest.mark.parametrize(("kind", "eager"), KINDS)
def test_the_first_result_ends_the_chain(kind, eager):
    asked = []

    def note(name, value):
        return lambda *arguments: (asked.append(name), value)[1]

    handlers = [
        handler("helo", note(name, value), kind, eager=eager, plugin=name)
        for name, value in (("a", None), ("b", DECLINED), ("c", (DENY, "no")), ("d", OK))
    ]
    verdict = verdict_of(handlers)
    assert (verdict.result, verdict.text, verdict.plugin) == (DENY, "no", "c")
    assert asked == ["a", "b", "c"]


@pytest.mark.parametrize(("kind", "eager"), KINDS)
@pytest.mark.parametrize("watched", [False, True])
def test_when_all_decline_nobody_decided(kind, eager, watched):
    handlers = [handler("helo", DECLINED, kind, eager=eager), handler("helo", None)]
    assert verdict_of(handlers, watched=watched) is PASS


@pytest.mark.parametrize(("kind", "eager"), KINDS)
@pytest.mark.parametrize(
    ("bad", "level", "text"),
    [
        (dead, 2, "FATAL PLUGIN ERROR [test]: dead"),
        (lambda *a: 123456, 3, "Plugin test, hook helo returned 123456"),
        (lambda *a: (_ for _ in ()).throw(KeyError()), 2, "FATAL PLUGIN ERROR [test]: KeyError"),
    ],
)
def test_a_failure_is_logged_and_declines(kind, eager, bad, level, text):
    connection = Connection(logger=Log(LOGERROR))
    verdict = verdict_of(
        [handler("helo", bad, kind, eager=eager), handler("helo", (DENY, "next"))], connection
    )
    assert verdict.text == "next"
    assert connection.logger.texts == [text]


@pytest.mark.parametrize(("kind", "eager"), KINDS)
@pytest.mark.parametrize("bad", [dead, lambda *a: object()])
def test_a_guards_failure_may_count_as_a_refusal(kind, eager, bad):
    connection = Connection(logger=Log(LOGERROR))
    guard = handler("helo", bad, kind, eager=eager, on_error=DENYSOFT)
    verdict = verdict_of([guard, handler("helo", OK)], connection)
    assert (verdict.result, verdict.plugin, verdict.lines) == (DENYSOFT, "test", ())
    assert connection.results == [("test", "helo", DENYSOFT)]


@pytest.mark.parametrize(("kind", "eager"), KINDS)
def test_results_are_told_to_whom_they_matter(kind, eager):
    told, traced = [], []
    connection = Connection(logger=Log(LOGDEBUG))
    connection.trace = lambda hook, plugin, verdict: traced.append((hook, plugin, verdict.result))
    handlers = [
        handler("helo", DECLINED, kind, eager=eager, plugin="a"),
        handler("helo", (DENY, "no"), kind, eager=eager, plugin="b"),
        handler("deny", lambda *arguments: told.append(("deny", *arguments[1:]))),
        handler("ok", lambda *arguments: told.append(("ok", *arguments[1:]))),
    ]
    assert verdict_of(handlers, connection, watched=True).result is DENY
    assert told == [("ok", "a", DECLINED, ""), ("deny", "b", DENY, "no")]
    assert traced == [("helo", "a", DECLINED), ("helo", "b", DENY)]
    assert connection.results == [("b", "helo", DENY)]
    assert connection.logger.texts == [
        "Plugin a, hook helo returned DECLINED",
        "Plugin b, hook helo returned DENY, no",
    ]


def test_a_watched_result_of_a_quiet_log_is_not_written():
    connection = Connection(logger=Log(LOGERROR))
    verdict_of([handler("helo", DONE)], connection, watched=True)
    assert connection.logger.texts == []
    assert connection.results == [("test", "helo", DONE)]


def test_what_has_to_wait_is_left_to_the_driver():
    asked = []
    handlers = [
        handler("helo", lambda *a: asked.append("plain")),
        handler("helo", DECLINED, Kind.BLOCKING, plugin="b"),
        handler("helo", (OK, "last"), plugin="c"),
    ]
    connection = Connection()
    call = run("helo", Chains(handlers), ("x",), connection)
    assert asked == ["plain"]
    assert repr(call) == "<HookCall helo ['b', 'c']>"
    assert (call.arguments, call.connection, call.pending) == (("x",), connection, None)
    verdict = resume(call)
    assert (verdict.result, verdict.plugin) == (OK, "c")


def test_an_eager_coroutine_is_stepped_until_it_waits():
    pause = Pause()

    async def waiting(*arguments):
        return OK, str(await pause)

    chains = Chains([handler("helo", plugin="a"), handler("helo", plugin="b")])
    eager = chains["helo"][1]
    eager.call, eager.kind, eager.eager, eager.inline = waiting, Kind.COROUTINE, True, False
    call = run("helo", chains, (), Connection())
    assert call.pending is not None

    def drive(call, handler):
        assert handler is eager
        steps = call.pending.__await__()
        assert next(steps) == "paused"
        try:
            steps.send("go on")
        except StopIteration as stop:
            return stop.value

    assert run_blocking(call, drive).text == "go on"


def test_a_coroutine_that_was_stepped_and_never_ends_that_way_fails():
    async def waiting(*arguments):
        await Pause()

    connection = Connection(logger=Log(LOGERROR))
    eager = handler("helo", kind=Kind.COROUTINE, eager=True)
    eager.call = waiting
    assert verdict_of([eager, handler("helo", (OK, "next"))], connection).text == "next"
    assert "event loop" in connection.logger.texts[0]


def test_a_coroutine_handler_is_begun():
    async def waiting(*arguments):
        return await Pause() if arguments else "at once"

    one = handler("helo", kind=Kind.COROUTINE)
    one.call = waiting
    assert begin(one, ()) == "at once"
    found = begin(one, ("x",))
    assert type(found) is Suspended
    steps = found.__await__()
    assert next(steps) == "paused"
    with pytest.raises(StopIteration):
        steps.send("x")


def test_what_is_thrown_into_a_suspended_coroutine_reaches_it():
    pause = Pause()

    async def waiting():
        await pause
        return await Pause()

    suspended = begin(handler("helo", waiting, Kind.COROUTINE), ())
    steps = suspended.__await__()
    assert next(steps) == "paused"
    assert steps.throw(KeyError("x")) == "paused"
    assert isinstance(pause.got, KeyError)
    with pytest.raises(StopIteration) as stop:
        steps.send("value")
    assert stop.value.value == "value"


def test_a_cancelled_task_cancels_its_suspended_coroutine():
    ended = []

    async def main():
        future = asyncio.get_running_loop().create_future()

        async def waiting():
            try:
                await future
            finally:
                ended.append(True)

        suspended = begin(handler("helo", waiting, Kind.COROUTINE), ())

        async def wrap():
            return await suspended

        task = asyncio.ensure_future(wrap())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == [True]


def test_a_coroutine_that_needs_a_loop_fails_without_one():
    ended = []

    async def waiting(*arguments):
        try:
            await Pause()
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="event loop"):
        step(waiting())
    assert ended == [True]
    connection = Connection(logger=Log(LOGERROR))
    bad = handler("helo", kind=Kind.COROUTINE)
    bad.call = waiting
    assert verdict_of([bad], connection) is PASS
    assert "event loop" in connection.logger.texts[0]


def test_a_coroutine_that_never_waits_is_run_to_its_end():
    async def value():
        return 5

    assert step(value()) == 5


def test_chains_without_a_session():
    log = Log(LOGERROR)

    def silent(*arguments):
        raise KeyError

    answers = (None, dead, silent, 5, DECLINED, (OK, "x"), DENY)
    handlers = [handler("config", answer) for answer in answers]
    verdict = ask(Chains(handlers)["config"], log, "name")
    assert verdict.values == ("x",)
    assert log.texts == [
        "FATAL PLUGIN ERROR [test]: dead",
        "FATAL PLUGIN ERROR [test]: KeyError",
        "Plugin test, hook config returned 5",
    ]
    assert ask((), log) is PASS


def test_the_same_handler_may_stand_in_a_chain_twice():
    count = []
    twice = handler("helo", lambda *a: count.append(1), Kind.BLOCKING)
    chains = Chains([twice, twice, handler("helo", OK)])
    call = run("helo", chains, (), Connection())
    for _ in range(5):
        if not isinstance(call, HookCall):
            break
        call.settle(call.chain[0], call.chain[0].call())
        call = resume(call)
    assert call.result is OK
    assert len(count) == 2
