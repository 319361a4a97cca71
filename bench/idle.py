"""Holds sessions that do nothing, to see what each of them costs a server."""

import asyncio
import contextlib
import resource
from types import TracebackType
from typing import Final, Self

from bench.server import HOST, Failed

__all__ = ["Holder"]

#: connections opened at a time, below any server's backlog
_BATCH: Final = 50
#: seconds a server may take for one reply
_PATIENCE: Final = 30.0


class _Idler(asyncio.Protocol):
    """A client that says EHLO, and later NOOP."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect until the last line of a reply: its code and a blank (RFC 5321 §4.2)."""
        self._received += data
        last = self._received.rstrip(b"\r\n").rpartition(b"\n")[2]
        if self._received.endswith(b"\n") and last[3:4] != b"-" and not self._reply.done():
            self._reply.set_result(self._received)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._reply.done():
            self._reply.set_exception(Failed("an idle connection was closed by the server"))
            self._reply.exception()  # nobody may be waiting for it

    async def expect(self, code: bytes, command: bytes = b"") -> None:
        """Send *command* and wait for a reply that begins with *code*.

        Raises:
            Failed: another reply, none in time, or the connection is gone.
        """
        if command:
            if self.transport is None or self.transport.is_closing():
                raise Failed("an idle connection was closed by the server")
            self._received = b""
            self._reply = asyncio.get_running_loop().create_future()
            self.transport.write(command)
        try:
            reply = await asyncio.wait_for(self._reply, _PATIENCE)
        except TimeoutError as error:
            raise Failed(f"no reply to {command!r} within {_PATIENCE:.0f} s") from error
        if not reply.startswith(code):
            raise Failed(f"{command!r} was answered {reply!r}")


class Holder:
    """Many idle sessions with one server; ``with Holder(port) as holder``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._idlers: list[_Idler] = []

    def open(self, count: int) -> None:
        """Open *count* further sessions, each greeted and past its EHLO.

        Raises:
            Failed: the server did not take them all, or descriptors are too few.
        """
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < count + 200:
            raise Failed(f"{count} connections need more than {hard} descriptors (ulimit -Hn)")
        self._loop.run_until_complete(self._open(count))

    async def _open(self, count: int) -> None:
        for done in range(0, count, _BATCH):
            batch = min(_BATCH, count - done)
            ones = (self._one() for _ in range(batch))
            for failure in await asyncio.gather(*ones, return_exceptions=True):
                if failure is not None:
                    raise failure

    async def _one(self) -> None:
        try:
            _, idler = await self._loop.create_connection(_Idler, HOST, self._port)
        except OSError as error:
            raise Failed(f"connection refused: {error}") from error
        self._idlers.append(idler)
        await idler.expect(b"220")
        await idler.expect(b"250", b"EHLO client.example\r\n")

    def check(self) -> None:
        """Ask every session for a sign of life.

        Raises:
            Failed: one of them is dead or answered an error.
        """
        self._loop.run_until_complete(self._check())

    async def _check(self) -> None:
        for idler in self._idlers:
            await idler.expect(b"250", b"NOOP\r\n")

    def close(self) -> None:
        """End all sessions without a word."""
        for idler in self._idlers:
            if idler.transport is not None:
                idler.transport.abort()
        self._idlers.clear()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(Failed):
            self.close()
