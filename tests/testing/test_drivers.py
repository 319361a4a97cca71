import asyncio
import threading

import pytest

from qpsmtpd.plugin import (
    DENY,
    OK,
    Plugin,
    blocking,
)


def test_handlers_run_where_the_driver_has_them(smtpd):
    def loop():
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            return None

    places = {}

    def plain(connection):
        places["plain"] = loop(), threading.get_ident()

    @blocking
    def waits(connection):
        places["blocking"] = loop(), threading.get_ident()

    async def later(connection):
        places["async"] = loop(), threading.get_ident()

    for handler in (plain, waits, later):
        smtpd.hook("connect", handler)
    smtpd.connect()
    assert places["plain"][0] is None or smtpd.driver == "event loop"
    if smtpd.driver == "blocking":
        assert places["blocking"][0] is None
        assert places["async"][0] is not None  # since asyncio was loaded
        assert len({place[1] for place in places.values()}) == 1
    else:
        assert places["plain"][0] is places["async"][0] is not None
        assert places["blocking"][0] is None
        assert places["blocking"][1] != places["plain"][1] == threading.get_ident()


def test_in_the_event_loop_services_really_suspend(smtpd):
    order = []

    class Sleeper(Plugin):
        async def hook_noop(self, connection, argument):
            asyncio.get_running_loop().call_soon(order.append, "others")
            await self.clock.sleep(1)
            order.append("handler")

    smtpd.load(Sleeper)
    with smtpd.connect() as client:
        assert client.noop() == 250
    assert order == (
        ["others", "handler"] if smtpd.driver == "event loop" else ["handler", "others"]
    )


def test_handlers_that_need_an_event_loop_have_the_same_one_under_every_driver(smtpd):
    loops = []

    class Waits(Plugin):
        async def hook_noop(self, connection, argument):
            await asyncio.sleep(0.001)
            loops.append(asyncio.get_running_loop())
            return DENY, "waited"

    smtpd.load(Waits)
    for _ in range(2):
        with smtpd.connect() as client:
            assert client.noop() == (500, "waited")
    assert loops[0] is loops[1]


@pytest.mark.parametrize("eager", [True, False])
def test_every_service_answers_under_every_driver(smtpd, eager):
    class Asks(Plugin):
        async def hook_mail(self, transaction, sender, params):
            await self.clock.sleep(2)
            answer = await self.dns.mx(sender.host)
            count = await self.store.incr("count", by=2)
            return DENY, f"{self.clock.now():.0f} {answer.records} {count}"

    class Blocks(Plugin):
        @blocking
        def hook_vrfy(self, connection, argument):
            return OK, str(self.wait(self.store.incr("count")))

    Asks.eager = eager
    smtpd.load(Asks, Blocks)
    smtpd.dns.add("example.net", "MX", (10, "mx.example.net"))
    with smtpd.connect() as client:
        client.ehlo()
        text = "1000000002 ((10, 'mx.example.net'),) 2"
        assert client.mail("a@example.net") == (550, text)
        assert client.vrfy("x") == (250, "1")
    assert smtpd.stored("asks") == {"count": 2}
    assert smtpd.stored("blocks") == {"count": 1}
    assert smtpd.clock.slept == [2]
    assert ("example.net", "MX") in smtpd.dns.questions


def test_an_eager_plugin_may_have_other_handlers_too(smtpd):
    class Mixed(Plugin):
        eager = True

        @blocking
        def hook_vrfy(self, connection, argument):
            return OK, "blocking"

        def hook_noop(self, connection, argument):
            return DENY, "plain"

    smtpd.load(Mixed)
    with smtpd.connect() as client:
        assert client.noop() == (500, "plain")
        assert client.vrfy("x") == (250, "blocking")


def test_programs_run_in_the_drivers_flavour(smtpd):
    class Runs(Plugin):
        async def hook_noop(self, connection, argument):
            run = await self.process.run(["echo", argument])
            return DENY, run.output.decode().strip()

    smtpd.load(Runs)
    with smtpd.connect() as client:
        assert client.send("NOOP hello") == (500, "hello")


def test_an_error_of_the_session_reaches_the_test(smtpd, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("a mistake of ours")

    client = smtpd.connect()
    monkeypatch.setattr("qpsmtpd.smtp.session.Session.answer", broken)
    with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
        client.noop()


def test_a_failure_of_a_handler_is_in_the_log(smtpd):
    def broken(connection, argument):
        raise ZeroDivisionError("a mistake of mine")

    smtpd.hook("noop", broken)
    with smtpd.connect() as client:
        assert client.noop() == 250
    assert smtpd.log.logged("FATAL PLUGIN ERROR [test]: a mistake of mine")
