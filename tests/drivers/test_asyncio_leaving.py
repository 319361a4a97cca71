import asyncio

import pytest
from tests.drivers.loopback import CLOSING, CODES, DIALOGUE, MESSAGE, Gate, run, serving, until
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, make

from qpsmtpd.constants import OK
from qpsmtpd.drivers.asyncio import Sessions, SMTPProtocol
from qpsmtpd.hooks.chain import Handler, Kind
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.smtp import Session

# Clients that leave


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_may_go_at_any_point(loops, how):
    async def main():
        async with serving() as server:
            for end in range(0, len(DIALOGUE), 7):
                server.calls.clear()
                count = len(server.gone)
                client = await server.connect()
                assert await client.codes(1) == [220]
                await client.send(DIALOGUE[:end])
                getattr(client, how)()
                await until(lambda count=count: len(server.gone) > count)
                await until(lambda: not server.sessions.live)
                calls = server.calls
                assert calls.count("disconnect") == calls.count("post_connection") == 1
                assert calls.count("reset_transaction") == calls.count("mail_pre")
            assert len(server.gone) == len(server.protocols) == len(server.finished)

    run(main, loops)


@pytest.mark.parametrize("hook", ["connect", "mail", "data", "queue", "disconnect"])
def test_a_client_cut_off_while_a_hook_waits(loops, hook):
    """The transport tells of the loss, whoever noticed it."""

    async def main():
        gate = Gate(hook, OK)
        async with serving([gate.handler, "rcpt", "queue"]) as server:
            client = await server.connect()
            await client.send(DIALOGUE)
            await until(lambda: gate.entered)
            (protocol,) = server.protocols
            protocol.abort()
            unstoppable = hook in {"queue", "disconnect"}
            if unstoppable:
                await until(lambda: server.gone)
                assert server.sessions.live == {protocol}  # until the hook has ended
                gate.event.set()
            await until(lambda: not server.sessions.live)
            assert (gate.cancelled, gate.left) == ((0, 1) if unstoppable else (1, 0))
            assert protocol.session.messages == (hook in {"queue", "disconnect"})
            calls = server.calls
            assert calls[-2:] == CLOSING[1:]
            assert calls.count("reset_transaction") == ("mail_pre" in calls)
            assert len(server.gone) == 1

    run(main, loops)


def test_a_client_that_resets_while_a_hook_waits_stops_the_hook(loops):
    async def main():
        gate = Gate("mail")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(HELLO + MAIL)
            await until(lambda: gate.entered)
            client.reset()
            await until(lambda: gate.cancelled)

    run(main, loops)


def test_hooks_of_a_client_that_left_may_wait_too(loops):
    async def main():
        gates = [Gate(hook) for hook in CLOSING]
        async with serving([*(gate.handler for gate in gates), "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE)
            await client.codes(4)
            client.reset()
            for gate in gates:
                await until(lambda gate=gate: gate.entered)
                assert server.sessions.live
                gate.event.set()
            await until(lambda: not server.sessions.live)
            assert [gate.left for gate in gates] == [1, 1, 1]

    run(main, loops)


def test_a_client_lost_between_two_hooks_that_wait(loops):
    async def main():
        queue, late = Gate("queue", OK), Gate("queue_post")
        async with serving([queue.handler, late.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE + MESSAGE + HELLO)
            await until(lambda: queue.entered)
            server.protocols[0].abort()
            await until(lambda: server.gone)
            queue.event.set()
            late.event.set()
            await until(lambda: not server.sessions.live)
            assert (queue.left, late.left) == (1, 1)

    run(main, loops)


def test_a_hook_that_begins_after_the_loss_is_not_waited_for(loops):
    async def main():
        queue, hello = Gate("queue", OK), Gate("ehlo")
        hello.event.set()
        async with serving([queue.handler, hello.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE + MESSAGE + HELLO)
            await until(lambda: queue.entered)
            server.protocols[0].abort()
            await until(lambda: server.gone)
            queue.event.set()
            await until(lambda: not server.sessions.live)
            assert hello.entered == 1

    run(main, loops)


def test_a_half_closed_client_gets_all_its_replies(loops):
    async def main():
        async with serving() as server:
            for octets, codes in ((DIALOGUE, CODES), (ENVELOPE + MESSAGE, CODES[:-1])):
                client = await server.connect()
                await client.send(octets)
                client.end()
                assert await client.rest() == codes
                client.close()
            await until(lambda: not server.sessions.live)

    run(main, loops)


def test_a_half_closed_client_gets_the_answer_of_a_waiting_hook(loops):
    async def main():
        gate = Gate("mail")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(HELLO + MAIL)
            client.end()
            await until(lambda: gate.entered)
            gate.event.set()
            assert await client.rest() == [220, 250, 250]

    run(main, loops)


@pytest.mark.pure
def test_a_session_that_fails_leaves_nothing_behind(loops, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("a defect")

    async def main():
        async with serving() as server:
            client, other = await server.connect(), await server.connect()
            assert await client.codes(1) + await other.codes(1) == [220, 220]
            with monkeypatch.context() as patch:
                patch.setattr(Session, "send", fail)
                await client.send(b"RSET\r\n")
                await until(lambda: server.gone)
            assert await client.rest() == []
            await other.send(b"NOOP\r\n")
            assert await other.codes(1) == [250]
            assert len(server.sessions.live) == 1
            assert server.finished == [server.protocols[0].session]
            text = "the session failed and is cut off: RuntimeError('a defect')"
            assert server.log.texts.count(text) == 1

    run(main, loops)


def test_a_server_that_stops_cancels_its_tasks(loops):
    async def main():
        gate = Gate("mail")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(HELLO + MAIL)
            await until(lambda: gate.entered)
            (protocol,) = server.protocols
            task = protocol._task
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            protocol._task = None
            protocol.abort()
            await until(lambda: not server.sessions.live)

    run(main, loops)


# Clients that do not read, and the last reply


@pytest.mark.parametrize("waits", [False, True])
def test_a_client_that_never_reads_is_not_served(loops, waits):
    async def main():
        async def help_(connection, argument):
            await asyncio.sleep(0)
            return OK

        slow = [Handler("slow", HOOKS["help"], help_, Kind.COROUTINE)] if waits else []
        async with serving(slow, small=True, max_junk=0) as server:
            client = await server.connect()
            wanted = 12_000
            sent = asyncio.ensure_future(client.send(b"HELP\r\n" * wanted))
            await until(lambda: server.protocols and server.protocols[0]._full)
            (protocol,) = server.protocols
            served = -1
            while served != (served := protocol.session.connection.command_counter):
                for _ in range(100):
                    await asyncio.sleep(0)
            assert served < wanted
            assert protocol._transport.get_write_buffer_size() < 300_000
            assert len(protocol.session.input.buffer) < 300_000
            assert await client.codes(wanted + 1) == [220] + [214] * wanted
            await sent
            await client.send(b"QUIT\r\n")
            assert await client.rest() == [221]

    run(main, loops)


def test_a_client_that_does_not_read_behind_a_hook_that_waited(loops):
    async def main():
        gate = Gate("noop")
        async with serving([gate.handler], small=True, max_junk=0) as server:
            client = await server.connect()
            sent = asyncio.ensure_future(client.send(b"NOOP\r\n" + b"HELP\r\n" * 12_000))
            await until(lambda: gate.entered)
            gate.event.set()
            await until(lambda: server.protocols[0]._full)
            assert server.protocols[0].session.connection.command_counter < 12_000
            assert await client.codes(12_002) == [220, 250] + [214] * 12_000
            await sent

    run(main, loops)


def test_a_client_that_never_reads_is_cut_off_in_the_end(loops):
    async def main():
        async with serving(small=True, max_junk=0, command_timeout=300) as server:
            client = await server.connect()
            sent = asyncio.ensure_future(client.send(b"HELP\r\n" * 50_000))
            await until(lambda: server.protocols and server.protocols[0]._full)
            server.sessions.sweep(1000.0)
            assert server.sessions.live
            server.sessions.sweep(1301.0)
            await until(lambda: not server.sessions.live)
            client.close()
            await asyncio.gather(sent, return_exceptions=True)

    run(main, loops)


def test_the_last_reply_is_not_lost_with_the_input_behind_it(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            await client.codes(1)
            await client.send(b"GET / HTTP/1.1\r\n" + b"x" * 200_000)
            await client.send(b"y" * 200_000)
            assert await client.rest() == [421]
            client.close()
            await until(lambda: server.gone)

    run(main, loops)


def test_a_closed_session_does_not_wait_for_ever(loops):
    async def main():
        async with serving() as server:
            client = await server.connect()
            await client.send(b"GET /\r\n")
            assert await client.rest() == [220, 421]
            for now in (100.0, 101.0, 102.0):
                server.sessions.sweep(now)
            assert server.sessions.live
            server.sessions.sweep(104.0)
            await until(lambda: not server.sessions.live)
            assert len(server.finished) == len(server.gone) == 1

    run(main, loops)


def test_the_closing_hooks_of_a_lost_client_may_wait_in_a_task_of_their_own(loops):
    async def main():
        queue, late = Gate("queue", OK), Gate("disconnect")
        async with serving([queue.handler, late.handler, "rcpt"]) as server:
            client = await server.connect()
            await client.send(ENVELOPE + MESSAGE)
            await until(lambda: queue.entered)
            server.protocols[0].abort()
            await until(lambda: server.gone)
            queue.event.set()
            await until(lambda: late.entered)
            assert server.sessions.live
            late.event.set()
            await until(lambda: not server.sessions.live)

    run(main, loops)


def test_the_end_of_input_may_be_told_while_a_hook_waits(loops):
    async def main():
        gate = Gate("mail")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(HELLO + MAIL)
            await until(lambda: gate.entered)
            assert server.protocols[0].eof_received()
            gate.event.set()
            assert await client.rest() == [220, 250, 250]

    run(main, loops)


class Pipe(asyncio.Transport):
    """A transport that cannot close one direction."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.closed = self.paused = 0

    def write(self, data):
        self.written += data

    def can_write_eof(self):
        return False

    def pause_reading(self):
        self.paused += 1

    def close(self):
        self.closed += 1


def test_nobody_need_be_told_that_a_client_is_gone(loops):
    async def main():
        async with serving() as server:
            protocol = SMTPProtocol(make(), server.sessions)
            protocol.connection_made(Pipe())
            protocol.connection_lost(None)
            assert not server.sessions.live

    run(main, loops)


def test_a_transport_that_cannot_half_close_is_closed(loops):
    async def main():
        sessions, pipe = Sessions(), Pipe()
        protocol = SMTPProtocol(make(), sessions)
        protocol.connection_made(pipe)
        protocol.data_received(b"GET /\r\n")
        await asyncio.sleep(0)
        assert pipe.written.count(b"\r\n") == 2
        assert pipe.closed == 1
        protocol.pause_writing()  # while the rest is written
        assert not pipe.paused
        protocol.resume_writing()
        protocol.shutdown()
        protocol.data_received(b"more")
        protocol.connection_lost(None)
        assert not sessions.live
        protocol.pause_writing()

    run(main, loops)
