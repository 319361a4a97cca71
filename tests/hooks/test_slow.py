import pytest
from tests.smtp.ways import Log, handler

from qpsmtpd.constants import DECLINED, DENY, OK
from qpsmtpd.hooks import chain, slow
from qpsmtpd.hooks.chain import Chains, HookCall, Kind, run
from qpsmtpd.smtp.connection import Connection

LIMIT = 0.05
KEPT = "kept every session of this process waiting for"
REMEDY = "mark the function @blocking, make it async, or put offload=1 on the plugin's line"
LATER = "the plugin will be named the next time"


@pytest.fixture
def takes(monkeypatch):
    """Make handlers that take some seconds of a clock nobody waits for."""
    now = [0.0]
    for module in (chain, slow):
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])

    def takes(seconds, answer=DECLINED):
        def call(*arguments):
            now[0] += seconds
            return answer() if callable(answer) else answer

        return call

    return takes


def dead():
    raise RuntimeError("dead")


def warnings(handlers, *, times=1, limit=LIMIT):
    """Run a chain some times and return what the log has about slow handlers."""
    chains = Chains(handlers)
    chains.slow = limit
    connection = Connection(logger=Log(4))
    for _ in range(times):
        run("helo", chains, ("x",), connection)
    return [text for text in connection.logger.texts if KEPT in text]


@pytest.mark.parametrize("answer", [DECLINED, OK, DENY, dead])
def test_a_slow_handler_that_is_alone_is_named_at_once(takes, answer):
    text = f"hook helo of plugin a {KEPT} 200 ms; {REMEDY}"
    assert warnings([handler("helo", takes(0.2, answer), plugin="a")]) == [text]
    alone = [handler("helo", takes(0.2, answer), plugin="a")]
    assert warnings(alone, times=3) == [text] * 3


@pytest.mark.parametrize("answer", [DECLINED, OK, dead])
def test_among_others_it_is_named_the_next_time(takes, answer):
    handlers = [
        handler("helo", takes(0.01), plugin="a"),
        handler("helo", takes(0.19, answer), plugin="b"),
        handler("helo", takes(0.0), plugin="c"),
    ]
    assert warnings(handlers, times=3) == [
        f"hook helo {KEPT} 200 ms; {LATER}",
        *[f"hook helo of plugin b {KEPT} 190 ms; {REMEDY}"] * 2,
    ]


def test_the_time_a_handler_took_to_fail_is_not_the_next_ones(takes):
    handlers = [
        handler("helo", takes(0.2, dead), plugin="a"),
        handler("helo", takes(0.0), plugin="b"),
    ]
    assert warnings(handlers, times=2)[1:] == [f"hook helo of plugin a {KEPT} 200 ms; {REMEDY}"]


def test_handlers_that_are_slow_together_are_not_named(takes):
    handlers = [handler("helo", takes(0.03), plugin=name) for name in "abc"]
    assert warnings(handlers, times=5) == [f"hook helo {KEPT} 90 ms; {LATER}"]


def test_each_one_of_several_slow_handlers_is_named(takes):
    handlers = [handler("helo", takes(0.1), plugin=name) for name in "abc"]
    found = warnings(handlers, times=2)[1:]
    assert [text.split()[4] for text in found] == ["a", "b", "c"]


def test_time_a_handler_may_take_is_not_worth_a_word(takes):
    assert warnings([handler("helo", takes(0.04))], times=3) == []


def test_where_only_its_own_client_waits_nobody_is_slow(takes):
    limit = Chains().slow
    assert limit == float("inf")
    assert warnings([handler("helo", takes(1000.0))], times=3, limit=limit) == []


def test_a_coroutine_that_keeps_the_loop_waiting_is_no_plain_handlers_fault(takes):
    eager = handler("helo", takes(0.2), Kind.COROUTINE, eager=True)
    assert warnings([eager], times=2) == []
    beside = handler("helo", takes(0.0), plugin="b")
    assert warnings([eager, beside], times=3) == [f"hook helo {KEPT} 200 ms; {LATER}"]


def test_only_those_that_were_asked_are_timed(takes):
    handlers = [
        handler("helo", takes(0.2), plugin="a"),
        handler("helo", None, Kind.BLOCKING, plugin="b"),
        handler("helo", takes(0.3), plugin="c"),
    ]
    chains = Chains(handlers)
    chains.slow = LIMIT
    connection = Connection(logger=Log(4))
    assert isinstance(run("helo", chains, (), connection), HookCall)
    assert connection.logger.texts == [f"hook helo {KEPT} 200 ms; {LATER}"]
    assert [type(one.call) is slow.Timed for one in handlers] == [True, False, False]


def test_an_empty_chain_is_nobodys_fault(takes, monkeypatch):
    ticks = iter(range(10))
    monkeypatch.setattr(chain, "perf_counter", lambda: float(next(ticks)))
    chains = Chains()
    chains.slow = LIMIT
    connection = Connection(logger=Log(4))
    run("helo", chains, (), connection)
    assert connection.logger.texts == []
