import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.drivers.scripted import Script
from tests.smtp.ways import Log, handler

from qpsmtpd.constants import DENY
from qpsmtpd.drivers.blocking import Runner, serve
from qpsmtpd.hooks.chain import Chains, Handler, Kind
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.smtp import Connection, Session, SessionSettings

ROOT = Path(__file__).resolve().parents[2]


def coroutine(hook, call, **options):
    return Handler("test", HOOKS[hook], call, Kind.COROUTINE, **options)


def answered(*handlers, run=None, octets=b"NOOP\r\n"):
    """Serve a client and return the code of its last reply, and the log."""
    log, client = Log(4), Script(octets)
    session = Session(Connection(logger=log), Chains(handlers), SessionSettings())
    serve(session, client, run, client.monotonic)
    return client.codes[-1], log.texts


def test_a_handler_may_use_asyncio():
    async def waits(connection, argument):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))
        return DENY

    assert answered(coroutine("noop", waits)) == (500, [])


def test_the_event_loop_is_kept_for_the_sessions_of_a_process():
    loops = []

    async def waits(connection, argument):
        await asyncio.sleep(0.001)
        loops.append(asyncio.get_running_loop())

    with Runner() as run:
        for _ in range(2):
            assert answered(coroutine("noop", waits), run=run, octets=b"NOOP\r\nNOOP\r\n")
        assert len(loops) == 4
        assert len(set(loops)) == 1
        assert not loops[0].is_closed()
    assert loops[0].is_closed()
    answered(coroutine("noop", waits))
    assert loops[0] is not loops[-1]
    assert loops[-1].is_closed()


def test_a_coroutine_that_takes_too_long_declines():
    async def waits(connection, argument):
        await asyncio.sleep(60)

    code, texts = answered(coroutine("noop", waits, timeout=0.01), handler("noop", DENY))
    assert code == 500
    assert texts == ["FATAL PLUGIN ERROR [test]: no answer within 0.01 seconds"]


def test_a_timeout_of_its_own_is_the_handlers():
    async def waits(connection, argument):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)

    code, texts = answered(coroutine("noop", waits), handler("noop", DENY))
    assert code == 500
    assert texts == ["FATAL PLUGIN ERROR [test]: TimeoutError"]


def test_an_eager_handler_that_awaits_services_needs_no_loop():
    async def answers(connection, argument):
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return DENY

    first = handler("noop", None, Kind.BLOCKING)
    assert answered(first, coroutine("noop", answers, eager=True)) == (500, [])


@pytest.mark.parametrize("behind", [False, True])
def test_an_eager_handler_that_only_lets_others_go_first(behind):
    """It suspends and needs no running loop: whoever stepped it hands the rest on."""

    async def polite(connection, argument):
        await asyncio.sleep(0)
        return DENY

    first = [handler("noop", None, Kind.BLOCKING)] if behind else []
    assert answered(*first, coroutine("noop", polite, eager=True)) == (500, [])


def test_an_eager_handler_that_needs_a_loop_is_begun_again():
    begun = []

    async def liar(connection, argument):
        begun.append(argument)
        await asyncio.sleep(0.001)
        return DENY

    async def dies(connection, argument):
        raise RuntimeError("of its own")

    first = handler("noop", None, Kind.BLOCKING)
    handlers = (coroutine("noop", dies, eager=True), coroutine("noop", liar, eager=True))
    code, texts = answered(first, *handlers)
    assert (code, len(begun)) == (500, 2)
    assert texts[0] == "FATAL PLUGIN ERROR [test]: of its own"
    assert texts[1].startswith("hook noop of plugin test was begun twice, since it needs an event")


#: a process that has not loaded asyncio
PROGRAM = """
import sys
from tests.smtp.ways import Log
from qpsmtpd.constants import DENY
from qpsmtpd.drivers.blocking import serve
from qpsmtpd.hooks import HOOKS, Chains, Handler, Kind
from qpsmtpd.services import SystemClock
from qpsmtpd.smtp import Connection, Session, SessionSettings

class Client:
    said = [b"NOOP\\r\\nHELP\\r\\nHELP\\r\\n"]
    def read(self, seconds):
        return self.said.pop() if self.said else b""
    def write(self, data):
        sys.stdout.write(data.decode())

async def noop(connection, argument):
    await SystemClock().sleep(0.001)
    assert "asyncio" not in sys.modules
    return DENY, "serviced"

async def help(connection, argument):
    import asyncio
    await asyncio.sleep(0.001)
    return DENY, "waited"

log = Log(4)
handlers = [Handler("x", HOOKS[f.__name__], f, Kind.COROUTINE) for f in (noop, help)]
serve(Session(Connection(logger=log), Chains(handlers), SessionSettings()), Client())
print(*log.texts, sep="\\n")
"""


def test_asyncio_is_loaded_by_those_who_need_it():
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    lines = ran.stdout.splitlines()
    assert [line[4:] for line in lines[1:4]] == ["serviced", "waited", "waited"]
    assert len(lines) == 5  # the loop is there when it is needed again
    assert "was begun twice" in lines[4]
    assert ran.stderr == ""
