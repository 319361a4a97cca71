"""What a client can make the server keep for it."""

import asyncio

from tests.drivers.loopback import Gate, run, serving, until
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, Log, make

from qpsmtpd.constants import OK
from qpsmtpd.drivers.asyncio import Sessions, SMTPProtocol

#: read ahead of a waiting handler, and one read of the loop besides
BOUND = 65536 + 262144


def test_what_a_client_sends_ahead_of_a_waiting_hook_is_bounded(loops):
    async def main():
        gate = Gate("noop")
        async with serving([gate.handler], max_junk=0) as server:
            client = await server.connect()
            await client.send(b"NOOP\r\n")
            await until(lambda: gate.entered)
            (protocol,) = server.protocols
            sent = asyncio.ensure_future(client.send(b"RSET\r\n" * 100_000))
            await until(lambda: protocol._paused)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(protocol.session.input.buffer) <= BOUND
            gate.event.set()
            codes = asyncio.ensure_future(client.codes(100_002))
            assert (await codes)[:3] == [220, 250, 250]
            await sent
            assert not protocol._paused

    run(main, loops)


def test_neither_does_a_closing_hook_let_it_send_without_end(loops):
    async def main():
        gate = Gate("disconnect")
        async with serving([gate.handler]) as server:
            client = await server.connect()
            await client.send(b"QUIT\r\n")
            await until(lambda: gate.entered)
            (protocol,) = server.protocols
            sent = asyncio.ensure_future(client.send(b"RSET\r\n" * 100_000))
            await until(lambda: protocol._paused)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(protocol.session.input.buffer) <= BOUND
            gate.event.set()
            assert await client.rest() == [220, 221]
            await asyncio.wait({sent})  # dropped: it makes no difference to anybody
            client.close()
            await until(lambda: server.gone)

    run(main, loops)


def test_much_output_behind_a_hook_that_waited_is_sent_in_between(loops):
    async def main():
        gate = Gate("noop")
        gate.event.set()
        async with serving([gate.handler], max_junk=0) as server:
            client = await server.connect()
            await client.send(b"NOOP\r\n" + b"HELP\r\n" * 3000)
            assert await client.codes(3002) == [220, 250] + [214] * 3000

    run(main, loops)


class Memory(asyncio.Transport):
    """A transport whose client reads when a test says so."""

    def __init__(self, protocol, *, room):
        super().__init__()
        self.protocol = protocol
        self.room = room
        self.written = b""
        self.reading = True
        self.aborted = self.closed = 0

    def write(self, data):
        self.written += data
        if len(self.written) > self.room:
            self.protocol.pause_writing()

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def can_write_eof(self):
        return True

    def write_eof(self):
        raise OSError("reset by peer")

    def abort(self):
        self.aborted += 1

    def close(self):
        self.closed += 1


def connected(answers=None, *, room, sessions=None, **settings):
    """Connect a client to a session; returns protocol and transport."""
    session = make(answers or {}, connection={"logger": Log()}, **settings)
    protocol = SMTPProtocol(session, sessions or Sessions())
    transport = Memory(protocol, room=room)
    protocol.connection_made(transport)
    protocol._sessions.serve()
    return protocol, transport


async def turn():
    """Let the sessions that are ready be served."""
    await asyncio.sleep(0)


def test_a_handler_is_not_begun_for_a_client_that_does_not_read(loops):
    async def main():
        gate = Gate("ehlo", eager=False)
        protocol, transport = connected({}, room=0)
        assert not transport.reading
        protocol.session.chains["ehlo"] = (gate.handler,)
        protocol.data_received(HELLO)
        await turn()
        assert protocol._held is not None
        protocol.shutdown()  # comes when the hook has had its turn
        protocol.data_received(MAIL)
        assert protocol.eof_received()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not gate.entered
        protocol.resume_writing()
        await until(lambda: gate.entered)
        gate.event.set()
        await until(lambda: protocol._closing)
        assert [line[:3] for line in transport.written.splitlines()][-2:] == [b"250", b"421"]
        assert transport.closed == 1
        protocol.connection_lost(None)

    run(main, loops)


def test_a_shutdown_of_a_session_whose_client_does_not_read(loops):
    async def main():
        protocol, transport = connected(room=1000, max_junk=0)
        protocol.data_received(b"HELP\r\n" * 5000)
        await turn()
        assert protocol._held is not None
        assert not transport.reading
        protocol.shutdown()
        assert protocol._held is None
        assert transport.written.splitlines()[-1].startswith(b"421 ")
        assert protocol._closing
        protocol.connection_lost(None)

    run(main, loops)


def test_a_client_that_is_lost_while_it_does_not_read(loops):
    async def main():
        sessions = Sessions()
        gate = Gate("ehlo")
        protocol, _ = connected(room=0, sessions=sessions)
        protocol.session.chains["ehlo"] = (gate.handler,)
        protocol.data_received(HELLO)
        await turn()
        assert protocol._held is not None
        protocol.connection_lost(ConnectionResetError())
        assert not sessions.live
        assert not gate.entered

    run(main, loops)


def test_reading_goes_on_when_the_client_does(loops):
    async def main():
        protocol, transport = connected(room=1000, max_junk=0)
        protocol.data_received(b"HELP\r\n" * 20_000)
        assert not transport.reading
        await turn()
        while protocol._held is not None:
            assert not transport.reading
            transport.written = b""
            protocol.resume_writing()
            await turn()
        transport.written = b""
        protocol.resume_writing()
        await turn()
        assert transport.reading
        protocol.connection_lost(None)

    run(main, loops)


def test_others_have_their_turn_between_the_commands_of_a_client(loops):
    async def main():
        protocol, transport = connected(room=10_000_000, max_junk=0)
        protocol.data_received(b"HELP\r\n" * 10_000)
        turns = 0
        while protocol._queued:
            turns += 1
            written = len(transport.written)
            await asyncio.sleep(0)
            assert 0 <= len(transport.written) - written < 100_000
        assert turns > 10
        assert transport.written.count(b"\r\n214 ") == 10_000
        assert transport.reading
        protocol.connection_lost(None)

    run(main, loops)


def test_others_have_their_turn_between_the_blocks_of_a_message(loops):
    async def main():
        protocol, transport = connected({"rcpt": OK, "queue": OK}, room=100_000)
        protocol.data_received(ENVELOPE + b"DATA\r\n")
        await turn()
        assert transport.reading
        for _ in range(3):
            protocol.data_received(b"x" * 78 + b"\r\n" * 65536)
            assert not transport.reading
            await turn()
            assert transport.reading
        protocol.data_received(b"\r\n.\r\nQUIT\r\n" + bytes(65536))
        await turn()
        assert protocol._closing
        protocol.connection_lost(None)
        assert protocol.session.messages == 1

    run(main, loops)


def test_a_turn_of_a_client_that_is_gone_or_does_not_read(loops):
    async def main():
        lost, _ = connected(room=10_000_000, max_junk=0)
        lost.data_received(b"HELP\r\n" * 10_000)
        lost.connection_lost(None)
        silent, transport = connected(room=10_000_000, max_junk=0)
        silent.data_received(b"HELP\r\n" * 10_000)
        silent.pause_writing()
        written = len(transport.written)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(transport.written) == written
        silent.resume_writing()
        await turn()
        assert len(transport.written) > written
        silent.connection_lost(None)

    run(main, loops)


def test_a_session_may_not_last_too_long_by_keeping_us_busy(loops):
    async def main():
        finished = []
        sessions = Sessions(session_timeout=100, finished=finished.append)
        protocol, transport = connected(room=10_000_000, sessions=sessions, max_junk=0)
        sessions.sweep(1000.0)
        protocol.data_received(b"HELP\r\n" * 10_000)
        sessions.sweep(1101.0)
        await turn()
        assert b"421 Session has lasted too long" in transport.written.splitlines()[-1]
        for _ in range(5):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        assert len(finished) == 1

    run(main, loops)


def test_a_client_that_has_reset_cannot_be_told_the_end(loops):
    async def main():
        protocol, transport = connected(room=100_000)
        protocol.data_received(b"GET /\r\n")
        await turn()
        assert transport.aborted == 1
        protocol.connection_lost(None)

    run(main, loops)


def test_a_transport_without_a_socket_has_nothing_pending(loops):
    async def main():
        protocol, _ = connected(room=100_000)
        assert not protocol.session.connection.input_pending()
        protocol.connection_lost(None)

    run(main, loops)
