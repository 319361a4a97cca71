import time

import pytest
from tests.drivers.loopback import Gate, run, serving, until
from tests.drivers.scripted import Script
from tests.hooks.hanging import PATIENCE, sleeps, spins, watched
from tests.smtp.ways import ENVELOPE, HELLO, Log, handler

from qpsmtpd.constants import OK
from qpsmtpd.drivers.blocking import serve
from qpsmtpd.hooks import watchdog
from qpsmtpd.hooks.chain import Kind
from qpsmtpd.smtp import Connection, Session, SessionSettings

# it takes the timer by which tests are limited otherwise
pytestmark = [pytest.mark.timeout(60, method="thread"), pytest.mark.usefixtures("_watch")]

PERIOD = 0.05
LIMIT = 0.2
LATE = "FATAL PLUGIN ERROR [hangs]: no answer within 0.2 seconds"


@pytest.fixture
def _watch():
    watchdog.start(PERIOD)
    yield
    watchdog.stop()


@pytest.mark.parametrize("hangs", [spins, sleeps])
@pytest.mark.parametrize("kind", list(Kind))
def test_one_client(hangs, kind):
    log, client = Log(3), Script(ENVELOPE)
    handlers = [
        handler("rcpt", hangs, kind, plugin="hangs", timeout=LIMIT),
        handler("rcpt", OK),
    ]
    session = Session(Connection(logger=log), watched(handlers), SessionSettings())
    began = time.monotonic()
    serve(session, client)
    assert time.monotonic() - began < PATIENCE
    assert client.codes == [220, 250, 250, 250]
    assert log.texts == [LATE]


@pytest.mark.parametrize("hangs", [spins, sleeps])
@pytest.mark.parametrize(
    ("kind", "eager"),
    [(Kind.PLAIN, False), (Kind.COROUTINE, False), (Kind.COROUTINE, True)],
)
def test_many_clients(loops, hangs, kind, eager):
    async def main():
        one = handler("rcpt", hangs, kind, plugin="hangs", timeout=LIMIT, eager=eager)
        watchdog.watch([one])
        async with serving([one, "rcpt"]) as server:
            client, other = await server.connect(), await server.connect()
            began = time.monotonic()
            await client.send(ENVELOPE)
            await other.send(HELLO)
            assert await client.codes(4) == [220, 250, 250, 250]
            assert await other.codes(2) == [220, 250]
            assert time.monotonic() - began < PATIENCE
            assert [text for text in server.log.texts if "FATAL" in text] == [LATE]

    run(main, loops)


def test_handlers_on_threads_and_those_that_await_are_left_alone(loops):
    """They keep nobody else waiting, and have time limits of their own."""

    async def main():
        thread = handler("ehlo", lambda *a: time.sleep(5 * PERIOD), Kind.BLOCKING, timeout=60)
        gate = Gate("mail", timeout=60)
        async with serving([thread, gate.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            await until(lambda: gate.entered)
            began = time.monotonic()
            await until(lambda: time.monotonic() - began > LIMIT + 2 * PERIOD)
            gate.event.set()
            assert await client.codes(4) == [220, 250, 250, 250]
            assert not [text for text in server.log.texts if "FATAL" in text]

    run(main, loops)
