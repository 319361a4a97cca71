"""The event loop's driver in memory: the real protocol class, on a loop of its own.

Rule: the loop runs only while a test waits, and until the server waits for its client.
"""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

from qpsmtpd.drivers.asyncio import Sessions, SMTPProtocol
from qpsmtpd.services import Clock, LoopProcess
from qpsmtpd.smtp import Session
from qpsmtpd.testing.services import Suspending

__all__ = ["LoopDriver", "LoopLink", "MemoryTransport"]


class MemoryTransport(asyncio.Transport):
    """What a protocol writes to.

    It does nothing by itself; the link looks at what was asked of it.

    Attributes:
        held: the protocol does not want to read.
        closing: it wants to close.
        ended: it has said all it had to say.
        incoming: octets it has not got yet, as in the kernel's buffer.
        outgoing: octets nobody has received yet.
    """

    def __init__(self, incoming: bytes = b"") -> None:
        super().__init__()
        self.held = self.closing = self.ended = False
        self.incoming = incoming
        self.outgoing = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets."""
        self.outgoing += data

    def write_eof(self) -> None:
        """Send no more."""
        self.ended = True

    def can_write_eof(self) -> bool:
        """Tell that ``write_eof`` works."""
        return True

    def pause_reading(self) -> None:
        """Leave octets where they are."""
        self.held = True

    def resume_reading(self) -> None:
        """Hand octets on again."""
        self.held = False

    def close(self) -> None:
        """End the connection."""
        self.closing = True

    def abort(self) -> None:
        """End the connection at once."""
        self.closing = True

    def is_closing(self) -> bool:
        """True when the connection is to end."""
        return self.closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a stand-in for the socket, which early talkers are looked for in."""
        return _Socket(self.incoming) if name == "socket" else default


class _Socket:
    """Knows whether there is something to read, in the way a socket does."""

    def __init__(self, incoming: bytes) -> None:
        self._ends = socket.socketpair()
        if incoming:
            self._ends[1].send(incoming[:1])

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def __del__(self) -> None:
        for end in self._ends:
            end.close()


class WatchedSessions(Sessions):
    """Sessions whose failures are those of the test."""

    def __init__(self) -> None:
        super().__init__()
        self._error: Exception | None = None

    def failed(self, session: Session, error: Exception) -> None:
        """Keep the error until somebody asks."""
        self._error = error

    def complain(self) -> None:
        """Raise what a session raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error


class LoopLink:
    """A client's end of the wire; every call lets the loop run until the server waits again."""

    def __init__(self, driver: "LoopDriver", session: Session, early: bytes) -> None:
        """Let a session begin.

        Args:
            driver: whose loop it runs on.
            session: the session.
            early: what the client sends before it is greeted.
        """
        self._driver = driver
        self._transport = MemoryTransport(early)
        self._protocol = SMTPProtocol(session, driver.sessions, self._mark_gone)
        self._gone = False
        self._left = False
        driver.run(self._open())

    def send(self, data: bytes) -> None:
        """Send octets; see ``Link``."""
        self._transport.incoming += data
        self._driver.run(self.settle())

    def receive(self) -> bytes:
        """Return what has come; see ``Link``."""
        octets = bytes(self._transport.outgoing)
        self._transport.outgoing.clear()
        return octets

    @property
    def closed(self) -> bool:
        """True when the server has ended the connection."""
        return self._gone or self._transport.closing or self._transport.ended

    def close(self) -> None:
        """Leave; see ``Link``."""
        if not self._left:
            self._left = True
            self._driver.run(self._leave())

    async def settle(self) -> None:
        """Wait until the server waits for the client, or is done with it."""
        protocol, transport = self._protocol, self._transport
        while True:
            self._driver.sessions.complain()
            task = protocol._task  # noqa: SLF001 - nothing else tells that a handler waits
            if task is not None:
                await asyncio.wait({task})
            elif protocol._queued:  # noqa: SLF001 - it goes on by itself
                await asyncio.sleep(0)
            elif transport.closing:
                if self._gone:
                    return
                protocol.connection_lost(None)
            elif transport.incoming and not transport.held:
                octets, transport.incoming = transport.incoming, b""
                protocol.data_received(octets)
            else:
                self._driver.sweep_one(protocol)
                return

    async def _open(self) -> None:
        self._protocol.connection_made(self._transport)
        await self.settle()

    async def _leave(self) -> None:
        if not self._transport.closing:
            self._protocol.eof_received()
            await self.settle()
        self._transport.close()
        await self.settle()

    def _mark_gone(self) -> None:
        self._gone = True


class LoopDriver:
    """Sessions as a process with an event loop has them."""

    process = LoopProcess

    def __init__(self, clock: Clock) -> None:
        """Make a loop, without sessions.

        Args:
            clock: what time limits go by.
        """
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._links: list[LoopLink] = []
        self.sessions = WatchedSessions()

    def flavoured(self, service: Any) -> Any:
        """Return a service as plugins are to have it: one that really waits."""
        return Suspending(service)

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run a service's coroutine for a ``@blocking`` handler, which is on a thread."""
        return asyncio.run_coroutine_threadsafe(_awaited(awaitable), self._loop).result()

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Run a coroutine for a test."""
        return self._loop.run_until_complete(_awaited(awaitable))

    def serve(self, session: Session, early: bytes) -> LoopLink:
        """Begin a session; see ``Driver``."""
        self.sessions.session_timeout = session.settings.session_timeout
        link = LoopLink(self, session, early)
        self._links.append(link)
        return link

    def sweep_one(self, protocol: SMTPProtocol) -> None:
        """Let a session note the time at which it began to wait."""
        protocol.sweep(self._clock.monotonic())

    def time_passed(self) -> None:
        """Hold clients to their time limits."""
        self.run(self._sweep())

    async def _sweep(self) -> None:
        self.sessions.sweep(self._clock.monotonic())
        for link in self._links:
            await link.settle()

    def close(self) -> None:
        """End all sessions, and the loop."""
        try:
            for link in self._links:
                link.close()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
