"""The two ways a server can be run in memory."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from qpsmtpd.services import Clock, Process
from qpsmtpd.smtp import Session
from qpsmtpd.testing.link import Link

__all__ = ["DRIVERS", "Driver"]


class Driver(Protocol):
    """Serves sessions, one step at a time."""

    @property
    def process(self) -> Callable[[], Process]:
        """What runs programs, in this driver's flavour."""
        ...

    def flavoured(self, service: Any) -> Any:
        """Return a service in memory as plugins are to have it under this driver."""
        ...

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run a service's coroutine for a ``@blocking`` handler."""
        ...

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Run a service's coroutine for a test, while no session is served."""
        ...

    def serve(self, session: Session, early: bytes) -> Link:
        """Begin a session, and return when it waits for the client.

        Args:
            session: the session.
            early: what the client sends before it is greeted.
        """
        ...

    def time_passed(self) -> None:
        """Hold clients to their time limits, since the clock was moved."""
        ...

    def close(self) -> None:
        """End all sessions, and free what the driver holds."""
        ...


def _blocking(clock: Clock) -> Driver:
    from qpsmtpd.testing.blocking import BlockingDriver  # noqa: PLC0415 - one of the two is used

    return BlockingDriver(clock)


def _event_loop(clock: Clock) -> Driver:
    from qpsmtpd.testing.asyncio import LoopDriver  # noqa: PLC0415 - one of the two is used

    return LoopDriver(clock)


DRIVERS: Final[dict[str, Callable[[Clock], Driver]]] = {
    "blocking": _blocking,
    "event loop": _event_loop,
}
