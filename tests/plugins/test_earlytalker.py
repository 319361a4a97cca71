import asyncio

import pytest

from qpsmtpd.constants import DECLINED, DENY, DENY_DISCONNECT, DENYSOFT
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks import Chains, HookCall
from qpsmtpd.hooks.chain import run, run_blocking, step
from qpsmtpd.services import FakeClock

TEXT = "Connecting host started transmitting before SMTP greeting"


@pytest.fixture(params=["stepped", "loop"])
def finish(request, services):
    """Run a handler in both flavours of driver."""
    if request.param == "stepped":
        return step

    def finish(coroutine):
        async def session():
            services.clock = clock = FakeClock(manual=True)
            task = asyncio.ensure_future(coroutine)
            for _ in range(5):
                await asyncio.sleep(0)
                clock.advance(10)
            return await task

        return asyncio.run(session())

    return finish


@pytest.fixture
def silent(connect):
    connection = connect()
    connection.peek = lambda: False
    return connection


@pytest.fixture
def hasty(connect):
    """A client that talks while it is made to wait."""
    connection = connect()
    answers = iter([False])
    connection.peek = lambda: next(answers, True)
    return connection


def test_a_silent_client_passes(load, finish, silent):
    assert finish(load("earlytalker").before_greeting(silent)) is DECLINED
    assert "earlytalker" not in silent.notes


def test_a_client_that_talks_meanwhile_is_refused(load, finish, hasty):
    assert finish(load("earlytalker").before_greeting(hasty)) == (DENY, TEXT)
    assert hasty.notes["earlytalker"] == 1
    assert hasty.notes["karma"] == -1


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("", DENY),
        ("reject_type temp", DENYSOFT),
        ("reject_type perm", DENY),
        ("reject_type disconnect", DENY_DISCONNECT),
        ("action deny", DENY),
        ("action denysoft", DENYSOFT),
    ],
)
def test_the_kind_of_refusal(load, hasty, words, result):
    assert step(load(f"earlytalker {words}").before_greeting(hasty)) == (result, TEXT)


@pytest.mark.parametrize("words", ["reject 0", "action log"])
def test_toleration(load, hasty, words):
    assert step(load(f"earlytalker {words}").before_greeting(hasty)) is DECLINED
    assert hasty.notes["earlytalker"] == 1


def test_naughty_leaves_the_refusal_for_later(load, hasty):
    assert step(load("earlytalker reject naughty").before_greeting(hasty)) is DECLINED
    assert hasty.notes["naughty"] == f"(earlytalker) {TEXT}"


def test_it_waits_as_long_as_it_is_told(load, silent, clock):
    step(load("earlytalker").before_greeting(silent))
    step(load("earlytalker wait 3").before_greeting(silent))
    silent.notes["earlytalker_wait"] = 0.5
    step(load("earlytalker wait 3").before_greeting(silent))
    assert clock.slept == [1.0, 3.0, 0.5]


def test_a_client_that_has_talked_already_is_not_waited_for(load, connect, clock):
    connection = connect()
    connection.peek = lambda: True
    assert step(load("earlytalker").before_greeting(connection)) == (DENY, TEXT)
    assert clock.slept == []


@pytest.mark.parametrize(
    "known",
    [
        lambda connection: setattr(connection, "relay_client", True),
        lambda connection: connection.notes.update(whitelisthost="x"),
        lambda connection: connection.notes.update(karma_history=6),
    ],
    ids=["relay client", "whitelisted", "good history"],
)
def test_whom_it_leaves_alone(load, hasty, clock, known):
    known(hasty)
    assert step(load("earlytalker").before_greeting(hasty)) is DECLINED
    assert clock.slept == []


def test_a_fair_history_is_not_enough(load, hasty):
    hasty.notes["karma_history"] = 5
    assert step(load("earlytalker").before_greeting(hasty)) == (DENY, TEXT)


@pytest.mark.parametrize(
    ("words", "hooks"),
    [
        ("", ["connect"]),
        ("check-at CONNECT", ["connect"]),
        ("check-at data", ["data"]),
        ("check-at CONNECT check-at DATA", ["connect", "data"]),
        ("defer-reject 1", ["connect", "mail"]),
    ],
)
def test_the_hooks_it_takes_part_in(load, words, hooks):
    assert [one.hook.name for one in load(f"earlytalker {words}").handlers()] == hooks


@pytest.mark.parametrize("words", ["check-at RCPT", "check-at", "wait soon", "action maybe"])
def test_a_wrong_line_is_refused(load, words):
    with pytest.raises(ConfigError):
        load(f"earlytalker {words}")


def test_deferred_every_mail_is_refused_instead_of_the_greeting(load, hasty, begin):
    plugin = load("earlytalker defer-reject 1")
    transaction = begin(connection=hasty)
    assert plugin.at_mail(transaction, None, {}) is DECLINED
    assert step(plugin.before_greeting(hasty)) is DECLINED
    assert plugin.at_mail(transaction, None, {}) == (DENYSOFT, TEXT)
    assert plugin.at_mail(transaction, None, {}) == (DENYSOFT, TEXT)
    assert hasty.notes["karma"] == -1


def test_deferred_the_reject_type_counts(load, hasty, begin):
    plugin = load("earlytalker defer-reject 1 reject_type perm")
    step(plugin.before_greeting(hasty))
    assert plugin.at_mail(begin(connection=hasty), None, {}) == (DENY, TEXT)


def test_before_354_it_looks_again(load, finish, hasty, begin):
    plugin = load("earlytalker check-at DATA defer-reject 1 reject_type perm")
    assert finish(plugin.before_data(begin(connection=hasty))) == (DENY, TEXT)


def test_before_354_a_silent_client_and_a_known_one_pass(load, silent, begin):
    plugin = load("earlytalker check-at DATA")
    assert step(plugin.before_data(begin(connection=silent))) is DECLINED
    silent.peek = lambda: True
    silent.relay_client = True
    assert step(plugin.before_data(begin(connection=silent))) is DECLINED


def test_in_a_loop_the_chain_is_left_where_it_waits(load, hasty, services):
    async def session():
        services.clock = clock = FakeClock(manual=True)
        call = run("connect", Chains(load("earlytalker").handlers()), (hasty,), hasty)
        assert isinstance(call, HookCall)

        async def rest():
            return await call.pending

        waiting = asyncio.ensure_future(rest())
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.advance(1)
        return await waiting

    assert asyncio.run(session()) == (DENY, TEXT)


def test_in_a_blocking_model_the_chain_runs_through(load, hasty):
    chains = Chains(load("earlytalker").handlers())
    call = HookCall("connect", chains, (hasty,), hasty, chain=chains["connect"])
    verdict = run_blocking(call)
    assert (verdict.result, verdict.text, verdict.plugin) == (DENY, TEXT, "earlytalker")
