"""What time it is, and waiting until later; in blocking, event loop and test flavours."""

import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import Future

__all__ = ["Clock", "FakeClock", "LoopClock", "SystemClock"]


class Clock(Protocol):
    """The time, as plugins and services see it."""

    def now(self) -> float:
        """Return the time of day in seconds since 1970, for what is stored or shown."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some start that nobody sets back, for measuring waits."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*; zero and less return at once."""
        ...


class SystemClock:
    """The computer's clock; sleeping blocks the process."""

    __slots__ = ()

    def now(self) -> float:
        """Return the time of day in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some start that nobody sets back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Block this thread for *seconds*."""
        if seconds > 0:
            time.sleep(seconds)  # noqa: ASYNC251 - this flavour is the one that blocks


class LoopClock(SystemClock):
    """The computer's clock; sleeping lets the running event loop go on."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* on the running event loop."""
        if seconds > 0:
            import asyncio  # noqa: PLC0415 - whoever runs a loop has it loaded

            await asyncio.sleep(seconds)


class FakeClock:
    """A clock that a test moves.

    Attributes:
        slept: the seconds of every sleep that was asked for, in order.
    """

    def __init__(self, start: float = 1_000_000_000.0, *, manual: bool = False) -> None:
        """Set the clock.

        Args:
            start: the time of day, in seconds since 1970.
            manual: True for a test inside an event loop that moves the time itself; sleepers
                then wait for ``advance``. Otherwise a sleep moves the clock and returns at
                once, which suits both flavours of driver.
        """
        self.slept: list[float] = []
        self._manual = manual
        self._time = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        """Return the time of day in seconds since 1970."""
        return self._time

    def monotonic(self) -> float:
        """Return the seconds the clock was advanced by."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let *seconds* go by and wake who slept until then, in order.

        Raises:
            ValueError: *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._time += seconds
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            sleeper = heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Move the clock by *seconds*, or wait until a test does."""
        self.slept.append(seconds)
        if seconds <= 0:
            return
        if not self._manual:
            self.advance(seconds)
            return
        import asyncio  # noqa: PLC0415 - a manual clock is only of use inside a loop

        woken = asyncio.get_running_loop().create_future()
        self._count += 1  # futures have no order: two sleepers may wake at the same time
        heappush(self._sleepers, (self._elapsed + seconds, self._count, woken))
        await woken
