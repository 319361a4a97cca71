import signal
import time

import pytest
from tests.hooks.hanging import PATIENCE, sleeps, spins, watched
from tests.smtp.ways import Log, handler

from qpsmtpd.constants import DENY, LOGERROR, OK
from qpsmtpd.hooks import watchdog
from qpsmtpd.hooks.ask import ask
from qpsmtpd.hooks.chain import HookCall, Kind, begin, run, run_blocking
from qpsmtpd.hooks.slow import Timed
from qpsmtpd.smtp.connection import Connection

# it takes the timer by which tests are limited otherwise
pytestmark = pytest.mark.timeout(60, method="thread")

PERIOD = 0.02
LIMIT = 0.1
LATE = "FATAL PLUGIN ERROR [test]: no answer within 0.1 seconds"


@pytest.fixture
def watch():
    """Watch while a test runs."""
    watchdog.start(PERIOD)
    yield
    watchdog.stop()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def verdict_of(*handlers, connection):
    """Run a chain to its end; returns the verdict and the seconds it took."""
    began = time.monotonic()
    found = run("helo", watched(handlers), (connection,), connection)
    if isinstance(found, HookCall):
        found = run_blocking(found)
    return found, time.monotonic() - began


@pytest.mark.usefixtures("watch")
@pytest.mark.parametrize("hangs", [spins, sleeps])
@pytest.mark.parametrize(
    ("kind", "eager"),
    [(Kind.PLAIN, False), (Kind.BLOCKING, False), (Kind.COROUTINE, True)],
)
def test_a_handler_that_hangs_costs_that_handler_only(hangs, kind, eager):
    connection = Connection(logger=Log(LOGERROR))
    verdict, seconds = verdict_of(
        handler("helo", hangs, kind, eager=eager, timeout=LIMIT),
        handler("helo", (DENY, "next")),
        connection=connection,
    )
    assert verdict.text == "next"
    assert connection.logger.texts == [LATE]
    assert LIMIT <= seconds < PATIENCE


@pytest.mark.usefixtures("watch")
def test_each_handler_has_its_own_time():
    connection = Connection(logger=Log(LOGERROR))
    handlers = [
        handler("helo", lambda *a: time.sleep(0.06), kind, timeout=LIMIT)
        for kind in (Kind.PLAIN, Kind.PLAIN, Kind.BLOCKING, Kind.BLOCKING)
    ]
    verdict_of(*handlers, connection=connection)
    assert connection.logger.texts == []


@pytest.mark.usefixtures("watch")
def test_each_call_of_a_handler_has_its_own_time():
    connection = Connection(logger=Log(LOGERROR))
    often = handler("helo", lambda *a: time.sleep(0.03), timeout=LIMIT)
    for _ in range(10):
        verdict_of(often, connection=connection)
    assert connection.logger.texts == []


@pytest.mark.usefixtures("watch")
def test_handlers_of_chains_without_a_session_are_watched_too():
    log = Log(LOGERROR)
    chain = watched([handler("config", spins, timeout=LIMIT), handler("config", (OK, "x"))])[
        "config"
    ]
    assert ask(chain, log, "name").text == "x"
    assert log.texts == [LATE]


@pytest.mark.usefixtures("watch")
def test_a_handler_that_asks_another_may_be_the_late_one():
    connection = Connection(logger=Log(LOGERROR))
    inner = watched([handler("config", spins, plugin="inner", timeout=300)])["config"]

    def asks(*arguments):
        ask(inner, connection.logger, "name")
        return DENY, "after all"

    verdict, _ = verdict_of(handler("helo", asks, timeout=LIMIT), connection=connection)
    assert verdict.text == "after all"
    assert connection.logger.texts == [LATE.replace("[test]", "[inner]")]


@pytest.mark.usefixtures("watch")
def test_a_handler_that_was_begun_is_watched():
    one = handler("helo", spins, Kind.COROUTINE, timeout=LIMIT)
    watchdog.watch([one])
    with pytest.raises(watchdog.HookTimeoutError):
        begin(one, ("x",))


@pytest.mark.usefixtures("watch")
def test_a_handler_that_is_timed_is_watched():
    connection = Connection(logger=Log(LOGERROR))

    def hangs(*arguments):
        spins()

    slow = handler("helo", hangs, timeout=LIMIT)
    watchdog.watch([slow])
    slow.call = Timed(slow)
    verdict_of(slow, connection=connection)
    assert connection.logger.texts == [LATE]


@pytest.mark.usefixtures("watch")
def test_a_handler_that_will_not_listen_is_told_again():
    told = []

    def stubborn(*arguments):
        while len(told) < 3:
            try:
                spins()
            except watchdog.HookTimeoutError as error:
                told.append(error)

    connection = Connection(logger=Log(LOGERROR))
    verdict_of(handler("helo", stubborn, timeout=LIMIT), connection=connection)
    assert len(told) == 3
    assert connection.logger.texts == []


def test_no_handler_may_keep_a_process_longer_than_its_owner_waits():
    watchdog.start(PERIOD, most=LIMIT)
    try:
        connection = Connection(logger=Log(LOGERROR))
        verdict_of(handler("helo", spins, timeout=300), connection=connection)
        assert connection.logger.texts == [LATE]
    finally:
        watchdog.stop()


@pytest.mark.usefixtures("watch")
def test_what_is_no_handler_is_never_interrupted():
    end = time.monotonic() + 5 * LIMIT
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.usefixtures("watch")
@pytest.mark.parametrize("kind", [Kind.PLAIN, Kind.BLOCKING])
def test_our_own_affairs_are_never_interrupted(kind):
    """A log that blocks: the handler has failed, and is not being waited for any more."""
    texts = []

    class Slow(Log):
        def log(self, level, text, **facts):
            time.sleep(5 * LIMIT)
            texts.append(text)

    def dead(*arguments):
        raise RuntimeError("dead")

    connection = Connection(logger=Slow(LOGERROR))
    handlers = [handler("helo", answer, kind, timeout=LIMIT) for answer in (dead, 12345)]
    verdict_of(*handlers, connection=connection)
    ask(watched([handler("config", dead, timeout=LIMIT)])["config"], connection.logger)
    assert [text.rpartition(" ")[2] for text in texts] == ["dead", "12345", "dead"]


@pytest.mark.usefixtures("watch")
def test_a_function_of_c_is_left_alone():
    """Nothing on the stack shows that it runs."""
    connection = Connection(logger=Log(LOGERROR))
    one = handler("helo", timeout=LIMIT)
    one.call = time.sleep
    run("helo", watched([one]), (3 * LIMIT,), connection)
    assert connection.logger.texts == []


@pytest.mark.usefixtures("watch")
def test_it_is_no_matter_if_the_process_stands_still():
    """Time is counted in looks."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    watch = watchdog._Watch(1.0, float("inf"))
    looks = []

    def hangs(*arguments):
        for _ in range(61):
            watch.look(signal.SIGALRM, watchdog_frame())
            looks.append(1)

    connection = Connection(logger=Log(LOGERROR))
    verdict_of(handler("helo", hangs), connection=connection)
    assert len(looks) == 60
    assert connection.logger.texts == [LATE.replace("0.1", "60")]
    verdict_of(handler("helo", hangs, timeout=61), connection=connection)
    assert len(looks) == 121


def watchdog_frame():
    """Return the frame of a function that is called by a handler."""
    import sys  # noqa: PLC0415

    return sys._getframe()


@pytest.mark.usefixtures("watch")
def test_instances_of_a_plugin_have_their_own_times():
    class Plugin:
        def hook_helo(self, *arguments):
            spins()

    connection = Connection(logger=Log(LOGERROR))
    patient = handler("helo", Plugin().hook_helo, timeout=300)
    watchdog.watch([patient])
    verdict_of(handler("helo", Plugin().hook_helo, timeout=LIMIT), connection=connection)
    assert connection.logger.texts == [LATE]
