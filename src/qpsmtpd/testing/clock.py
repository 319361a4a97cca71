"""The clock of a server in memory: plugins and time limits go by it."""

from collections.abc import Callable

from qpsmtpd.services.clock import FakeClock

__all__ = ["SharedClock"]


class SharedClock(FakeClock):
    """A clock that a test moves; the server hears of it.

    A plugin that sleeps moves it, too, but then the server is busy, and no client is late.
    """

    def __init__(self, passed: Callable[[], None]) -> None:
        """Set the clock.

        Args:
            passed: called when a test has moved it.
        """
        super().__init__()
        self._passed = passed

    def monotonic(self) -> float:
        """Return seconds since some start, which was not at zero, as it is nowhere else."""
        return super().monotonic() + 1.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* go by, for plugins, stored values and clients that are silent.

        Raises:
            ValueError: *seconds* is negative.
        """
        super().advance(seconds)
        self._passed()

    async def sleep(self, seconds: float) -> None:
        """Move the clock by *seconds*."""
        self.slept.append(seconds)
        if seconds > 0:
            super().advance(seconds)
