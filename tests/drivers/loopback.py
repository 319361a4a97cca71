"""Sessions on an event loop, and clients that reach them over the loopback interface."""

import asyncio
import contextlib
import socket
import struct

from tests.smtp.ways import ENVELOPE, WATCHED, Log, handler

from qpsmtpd.constants import OK
from qpsmtpd.drivers.asyncio import Sessions, SMTPProtocol
from qpsmtpd.hooks.chain import Chains, Handler, Kind
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.smtp import Connection, Session, SessionSettings

#: seconds after which a test that waits has failed
PATIENCE = 5
MESSAGE = b"DATA\r\nA: b\r\n\r\ntext\r\n.\r\n"
DIALOGUE = ENVELOPE + MESSAGE + b"QUIT\r\n"
#: the replies to it
CODES = [220, 250, 250, 250, 354, 250, 221]
CLOSING = ["reset_transaction", "disconnect", "post_connection"]


class Gate:
    """A coroutine handler that waits until it is let through."""

    def __init__(self, hook, answer=None, *, eager=False, **options):
        self.entered = self.cancelled = self.left = 0
        self.event = asyncio.Event()
        self.answer = answer
        self.handler = Handler(
            "gate", HOOKS[hook], self.call, Kind.COROUTINE, eager=eager, **options
        )

    async def call(self, *arguments):
        self.entered += 1
        try:
            await self.event.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.left += 1
        return self.answer


class Server:
    """Listens, and remembers what became of its sessions."""

    def __init__(self, answers, *, sessions=None, small=False, rights=(), **settings):
        self.calls = []
        self.rights = frozenset(rights)
        self.sessions = Sessions(**{"finished": self.finish, **(sessions or {})})
        self.settings = SessionSettings(**settings)
        self.log = Log()
        notes = [handler(hook, lambda *a, hook=hook: self.calls.append(hook)) for hook in WATCHED]
        given = [one for one in answers if not isinstance(one, str)]
        plain = [handler(hook, OK) for hook in answers if isinstance(hook, str)]
        self.chains = Chains([*notes, *given, *plain])
        self.protocols = []
        self.clients = []
        self.gone = []
        self.finished = []
        self.small = small

    def finish(self, session):
        self.finished.append(session)

    def leave(self):
        self.gone.append(len(self.sessions.live))

    def protocol(self):
        connection = Connection("127.0.0.1", logger=self.log, rights=self.rights)
        session = Session(connection, self.chains, self.settings)
        made = SMTPProtocol(session, self.sessions, self.leave)
        self.protocols.append(made)
        return made

    async def start(self):
        self.server = await asyncio.get_running_loop().create_server(self.protocol, "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()
        if self.small:
            for listener in self.server.sockets:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def stop(self):
        self.server.close()
        for protocol in list(self.sessions.live):
            protocol.abort()
        for client in self.clients:
            client.close()
        await until(lambda: not self.sessions.live)
        await self.server.wait_closed()

    async def connect(self):
        client = Client(self.address, small=self.small)
        self.clients.append(client)
        await client.connect()
        return client


async def until(condition):
    """Let the loop run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.001)


class Client:
    """Reads replies."""

    def __init__(self, address, *, small=False):
        self.address = address
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(0)
        self.buffer = b""

    async def connect(self):
        await asyncio.get_running_loop().sock_connect(self.socket, self.address)

    async def send(self, octets):
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.socket, octets)

    async def receive(self):
        """Return some octets; none at the end."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 65536)

    async def line(self):
        while b"\r\n" not in self.buffer:
            more = await self.receive()
            if not more:
                raise EOFError(self.buffer)
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode()

    async def reply(self):
        """Return the last line of the next reply."""
        while (line := await self.line())[3] == "-":
            pass
        return line

    async def codes(self, count):
        return [int((await self.reply())[:3]) for _ in range(count)]

    async def rest(self):
        """Return the codes of all replies up to the end."""
        found = []
        with contextlib.suppress(EOFError):
            while True:
                found.append(int((await self.reply())[:3]))
        assert self.buffer == b""
        return found

    def end(self):
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """Vanish without a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def run(main, loops):
    """Run a test on one of the event loops."""
    with asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(main())


@contextlib.asynccontextmanager
async def serving(answers=("rcpt", "queue"), **options):
    """Serve while a test runs, and see that nothing is left behind."""
    server = Server(answers, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
    assert len(server.gone) == len(server.protocols)
    for protocol in server.protocols:
        assert protocol.session.transaction is None
