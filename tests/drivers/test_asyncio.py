import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.drivers.loopback import CLOSING, CODES, DIALOGUE, Gate, run, serving, until
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, RCPT, Log, handler

from qpsmtpd.constants import DENY, OK
from qpsmtpd.drivers.asyncio import Sessions
from qpsmtpd.drivers.chain import run_waiting
from qpsmtpd.hooks.chain import Chains, Handler, HookCall, Kind
from qpsmtpd.hooks.chain import run as run_chain
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.smtp import Connection, State


def test_a_pipelined_dialogue(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            await client.send(DIALOGUE)
            assert await client.rest() == CODES
            await until(lambda: server.gone)
            assert not server.sessions.live
            assert server.finished == [server.protocols[0].session]
            assert server.calls[-4:] == ["reset_transaction", "quit", *CLOSING[1:]]

    run(main, loops)


def test_a_dialogue_in_turns(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            found = await client.codes(1)
            for line in DIALOGUE.splitlines(keepends=True):
                await client.send(line)
                if (line[:1].isupper() and line[:2] != b"A:") or line == b".\r\n":
                    found += await client.codes(1)
            assert found == CODES
            await until(lambda: server.gone)

    run(main, loops)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("hook", ["connect", "mail", "data_headers_end", "queue", "quit"])
def test_a_waiting_hook_keeps_nobody_else_waiting(loops, hook, eager):
    async def main():
        gate = Gate(hook, eager=eager)
        async with serving([gate.handler, "rcpt", "queue"]) as server:
            one, other = await server.connect(), await server.connect()
            await one.send(DIALOGUE)
            await other.send(DIALOGUE)
            await until(lambda: gate.entered == 2)
            gate.event.set()
            assert await one.rest() == CODES
            assert await other.rest() == CODES

    run(main, loops)


def test_replies_go_out_before_a_hook_is_waited_for(loops):
    async def main():
        gate = Gate("rcpt", OK)
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            assert await client.codes(3) == [220, 250, 250]
            await until(lambda: gate.entered)
            gate.event.set()
            assert await client.codes(1) == [250]

    run(main, loops)


@pytest.mark.parametrize("own", [False, True])
def test_blocking_handlers_run_on_threads(loops, own):
    ready, go = threading.Event(), threading.Event()
    names = []

    def wait(*arguments):
        names.append(threading.current_thread().name)
        ready.set()
        assert go.wait(5)
        return OK

    async def main():
        executor = ThreadPoolExecutor(1, thread_name_prefix="ours") if own else None
        waiting = handler("rcpt", wait, Kind.BLOCKING)
        async with serving([waiting, "queue"], sessions={"executor": executor}) as server:
            client, other = await server.connect(), await server.connect()
            await client.send(DIALOGUE)
            await until(ready.is_set)
            await other.send(HELLO)
            assert await other.codes(2) == [220, 250]
            go.set()
            assert await client.rest() == CODES
        assert (names[0].startswith("ours")) == own
        if executor is not None:
            executor.shutdown()

    run(main, loops)


@pytest.mark.parametrize("eager", [False, True])
def test_a_handler_that_takes_too_long_declines(loops, eager):
    async def main():
        gate = Gate("rcpt", timeout=0.01, eager=eager)
        async with serving([gate.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            assert await client.codes(4) == [220, 250, 250, 250]
            assert gate.cancelled == 1
            assert "FATAL PLUGIN ERROR [gate]: no answer within 0.01 seconds" in server.log.texts

    run(main, loops)


def test_a_guard_that_takes_too_long_may_refuse(loops):
    async def main():
        gate = Gate("rcpt", timeout=0.01, on_error=DENY)
        async with serving([gate.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            assert await client.codes(4) == [220, 250, 250, 550]

    run(main, loops)


def test_handlers_that_fail_decline(loops):
    async def dead(*arguments):
        raise TimeoutError("of its own")

    def nonsense(*arguments):
        return 12345

    async def main():
        first = Handler("a", HOOKS["rcpt"], dead, Kind.COROUTINE)
        second = handler("rcpt", nonsense, Kind.BLOCKING, plugin="b")
        async with serving([first, second, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            assert await client.codes(4) == [220, 250, 250, 250]
            assert "FATAL PLUGIN ERROR [a]: of its own" in server.log.texts
            assert "Plugin b, hook rcpt returned 12345" in server.log.texts

    run(main, loops)


def test_the_rest_of_a_chain_runs_to_its_verdict(loops):
    async def main():
        kinds = (Kind.COROUTINE, Kind.PLAIN, Kind.BLOCKING, Kind.COROUTINE, Kind.PLAIN)
        chains = Chains(handler("helo", None, kind) for kind in kinds)
        call = run_chain("helo", chains, (), Connection(logger=Log()))
        assert isinstance(call, HookCall)
        assert (await run_waiting(call)).result.name == "DECLINED"

    run(main, loops)


# Time


def test_silence_is_answered(loops):
    async def main():
        async with serving(command_timeout=300) as server:
            client, other = await server.connect(), await server.connect()
            assert await client.codes(1) + await other.codes(1) == [220, 220]
            server.sessions.sweep(1000.0)
            await other.send(HELLO)
            await other.codes(1)
            server.sessions.sweep(1299.0)
            server.sessions.sweep(1301.0)
            assert await client.rest() == [421]
            await other.send(b"NOOP\r\n")
            assert await other.codes(1) == [250]
            server.sessions.sweep(1302.0)
            server.sessions.sweep(1302.1 + 300)
            assert await other.rest() == [421]

    run(main, loops)


def test_a_session_may_not_last_too_long(loops):
    async def main():
        async with serving(sessions={"session_timeout": 100}) as server:
            client = await server.connect()
            assert await client.codes(1) == [220]
            server.sessions.sweep(1000.0)
            for now in (1030.0, 1060.0, 1090.0):
                await client.send(b"NOOP\r\n")
                assert await client.codes(1) == [250]
                server.sessions.sweep(now)
            server.sessions.sweep(1101.0)
            assert (await client.reply()).startswith("421 Session has lasted too long")

    run(main, loops)


def test_the_time_a_hook_takes_is_not_the_clients(loops):
    async def main():
        gate = Gate("mail")
        async with serving([gate.handler], command_timeout=300) as server:
            client = await server.connect()
            await client.send(HELLO + MAIL)
            await until(lambda: gate.entered)
            server.sessions.sweep(1000.0)
            server.sessions.sweep(2000.0)
            gate.event.set()
            assert await client.codes(3) == [220, 250, 250]
            server.sessions.sweep(2299.0)
            await client.send(b"NOOP\r\n")
            assert await client.codes(1) == [250]

    run(main, loops)


# Shutdown


def test_a_shutdown_between_commands_is_at_once(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            assert await client.codes(4) == CODES[:4]
            for protocol in server.protocols:
                protocol.shutdown()
                protocol.shutdown()
            assert await client.rest() == [421]

    run(main, loops)


def test_a_message_that_has_begun_is_taken_before_a_shutdown(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            await client.send(ENVELOPE + b"DATA\r\nA: b\r\n")
            assert await client.codes(5) == CODES[:5]
            await until(lambda: server.protocols[0].session.state is State.DATA)
            server.protocols[0].shutdown()
            await client.send(b"\r\ntext\r\n.\r\n" + MAIL)
            assert await client.rest() == [250, 421]
            assert server.protocols[0].session.messages == 1

    run(main, loops)


def test_a_hook_that_waits_is_waited_for_before_a_shutdown(loops):
    async def main():
        gate = Gate("rcpt", OK)
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            await until(lambda: gate.entered)
            server.protocols[0].shutdown()
            gate.event.set()
            assert await client.rest() == [220, 250, 250, 250, 421]

    run(main, loops)


def test_a_shutdown_while_the_greeting_waits(loops):
    async def main():
        gate = Gate("connect")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await until(lambda: gate.entered)
            server.protocols[0].shutdown()
            gate.event.set()
            assert (await client.rest())[-1] == 421

    run(main, loops)


# Early talkers


@pytest.mark.parametrize("early", [False, True])
def test_an_early_talker_is_seen_before_the_greeting(loops, early):
    seen = []

    async def main():
        entered, go = asyncio.Event(), asyncio.Event()

        async def connect(connection):
            entered.set()
            await go.wait()
            seen.append(connection.input_pending())

        waiting = Handler("early", HOOKS["connect"], connect, Kind.COROUTINE)
        async with serving([waiting]) as server:
            client = await server.connect()
            await entered.wait()
            if early:
                await client.send(HELLO)
            go.set()
            assert await client.codes(1) == [220]
            if not early:
                await client.send(HELLO)
            assert await client.codes(1) == [250]

    run(main, loops)
    assert seen == [early]


def test_octets_that_were_fed_are_pending_too(loops):
    seen = []

    async def main():
        look = handler("helo", lambda connection, host: seen.append(connection.input_pending()))
        async with serving([look]) as server:
            client = await server.connect()
            await client.send(b"HELO a\r\nNOOP\r\n")
            assert await client.codes(3) == [220, 250, 250]

    run(main, loops)
    assert seen == [True]


def test_without_a_connection_nothing_is_pending(loops):
    async def main():
        async with serving() as server:
            protocol = server.protocol()
            server.protocols.clear()
            assert not protocol._input_pending()
            protocol.abort()
            assert protocol.eof_received()
            client = await server.connect()
            await client.codes(1)
            (protocol,) = server.protocols
            client.reset()
            await until(lambda: server.gone)
            assert not protocol._input_pending()

    run(main, loops)


def test_sessions_may_do_without_anybody_who_is_told(loops):
    async def main():
        assert Sessions().finished is None
        async with serving(sessions={"finished": None}) as server:
            client = await server.connect()
            await client.send(MAIL + RCPT + b"QUIT\r\n")
            assert await client.rest() == [220, 503, 503, 221]

    run(main, loops)
