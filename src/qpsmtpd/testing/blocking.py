"""The blocking driver in memory: the real ``serve``, on a thread that runs while a test waits."""

import threading
from collections.abc import Awaitable
from typing import Any

from qpsmtpd.drivers.blocking import Runner, serve
from qpsmtpd.hooks.chain import step
from qpsmtpd.services import BlockingProcess, Clock
from qpsmtpd.smtp import Session

__all__ = ["BlockingDriver", "BlockingLink"]


class BlockingLink:
    """A client's end of the wire, and the server's.

    Client and server never run at the same time: whoever sends waits until the server has nothing
    left to do.
    """

    def __init__(self, session: Session, run: Runner, clock: Clock, early: bytes) -> None:
        """Let a session begin.

        Args:
            session: the session.
            run: runs chains.
            clock: tells when the client is late.
            early: what the client sends before it is greeted.
        """
        self._session = session
        self._run = run
        self._clock = clock
        self._turn = threading.Condition()
        self._idle = False  # the server waits for the client
        self._over = False
        self._left = False  # the client has
        self._incoming = bytearray(early)
        self._outgoing = bytearray()
        self._error: BaseException | None = None
        session.connection.peek = self._peek
        # what a test leaves open must not keep pytest alive
        self._thread = threading.Thread(target=self._serve, name="session", daemon=True)
        self._thread.start()
        self._settle()

    # The client's side

    def send(self, data: bytes) -> None:
        """Send octets; see ``Link``."""
        with self._turn:
            self._incoming += data
        self.go_on()

    def receive(self) -> bytes:
        """Return what has come; see ``Link``."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    @property
    def closed(self) -> bool:
        """True when the server has ended the connection."""
        return self._over

    def close(self) -> None:
        """Leave; see ``Link``."""
        self._left = True
        self.go_on()
        self._thread.join()

    def go_on(self) -> None:
        """Let the server run until it waits again: something has come, or time has passed."""
        with self._turn:
            self._idle = False
            self._turn.notify_all()
        self._settle()

    def _settle(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._idle or self._over)
        error, self._error = self._error, None
        if error is not None:
            raise error

    # The server's side, on its thread

    def read(self, seconds: float) -> bytes | None:
        """Wait for octets; see ``drivers.blocking.Wire``."""
        deadline = self._clock.monotonic() + seconds
        with self._turn:
            while not self._incoming:
                if self._left:
                    return b""
                if self._clock.monotonic() >= deadline:
                    return None
                self._idle = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: not self._idle)
            octets = bytes(self._incoming)
            self._incoming.clear()
            return octets

    def write(self, data: bytes) -> None:
        """Send octets; see ``drivers.blocking.Wire``."""
        self._outgoing += data

    def _peek(self) -> bool:
        return bool(self._incoming) or self._session.input_pending()

    def _serve(self) -> None:
        try:
            serve(self._session, self, self._run, self._clock.monotonic)
        except BaseException as error:  # noqa: BLE001 - raised where the test waits
            self._error = error
        finally:
            with self._turn:
                self._over = True
                self._turn.notify_all()


class BlockingDriver:
    """Sessions as a process has them that serves one at a time.

    There is no event loop, but for coroutine handlers that cannot do without.
    """

    process = BlockingProcess

    def __init__(self, clock: Clock) -> None:
        """Begin without sessions.

        Args:
            clock: what time limits go by.
        """
        self._clock = clock
        self._run = Runner()
        self._links: list[BlockingLink] = []

    def flavoured(self, service: Any) -> Any:
        """Return a service as plugins are to have it: as it is, since it never waits."""
        return service

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run a service's coroutine for a ``@blocking`` handler."""
        return step(awaitable)

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Run a service's coroutine for a test."""
        return step(awaitable)

    def serve(self, session: Session, early: bytes) -> BlockingLink:
        """Begin a session; see ``Driver``."""
        link = BlockingLink(session, self._run, self._clock, early)
        self._links.append(link)
        return link

    def time_passed(self) -> None:
        """Hold clients to their time limits."""
        for link in self._links:
            if not link.closed:
                link.go_on()

    def close(self) -> None:
        """End all sessions, and the event loop if there is one."""
        try:
            for link in self._links:
                link.close()
        finally:
            self._run.close()
