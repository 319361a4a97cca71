"""The live sessions of an event loop, and their turns.

Rule: what came in one turn of the loop is served in one go: all reads, then all sessions, then all
writes. Alternating between the kernel's code and ours for each session would cost half as much
again, since neither finds the processor's caches as it left them; and no client is served a second
time before the others were. One coarse sweep keeps the time limits of all sessions.
"""

import asyncio
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from qpsmtpd.constants import LOGCRIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpsmtpd.drivers.asyncio import SMTPProtocol
    from qpsmtpd.smtp import Session
    from qpsmtpd.smtp.state import Event

__all__ = ["Sessions"]


class Sessions:
    """The live sessions of one event loop: their time limits, and what they share."""

    def __init__(
        self,
        *,
        session_timeout: float = 0,
        executor: Executor | None = None,
        finished: "Callable[[Session], None] | None" = None,
    ) -> None:
        """Begin without sessions.

        Args:
            session_timeout: seconds a session may last; 0 for no limit.
            executor: runs blocking handlers; None for the loop's own threads.
            finished: told of each session when it is over.
        """
        self.live: set[SMTPProtocol] = set()
        self.ready: list[SMTPProtocol] = []  # to be served
        self.session_timeout = session_timeout
        self.executor = executor
        self.finished = finished

    def schedule(self, protocol: "SMTPProtocol") -> None:
        """Serve a session when the loop has read what there is for all of them."""
        if not self.ready:
            asyncio.get_running_loop().call_soon(self.serve)
        self.ready.append(protocol)

    def serve(self) -> None:
        """Go on with all sessions that are ready, then send their replies."""
        ready, self.ready = self.ready, []
        steps: list[tuple[SMTPProtocol, Event]] = []
        for protocol in ready:
            try:
                steps.append((protocol, protocol.session.resume(None)))
            except Exception as error:  # noqa: BLE001 - other sessions must not suffer
                protocol.fail(error)
        for protocol, event in steps:
            protocol.answer(event)

    def sweep(self, now: float) -> None:
        """Hold all sessions to their time limits; to be called about once a second.

        Args:
            now: the loop's time.
        """
        for protocol in tuple(self.live):
            protocol.sweep(now)

    def failed(self, session: "Session", error: Exception) -> None:
        """Account for a mistake of ours, which costs that session only."""
        connection = session.connection
        text = f"the session failed and is cut off: {error!r}"
        connection.logger.log(LOGCRIT, text, connection=connection, error=error)
