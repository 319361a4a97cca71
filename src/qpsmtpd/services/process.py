"""Running a program with a message on its input; for a bounded time, with bounded output."""

# ruff: noqa: ASYNC109 - asyncio.timeout needs a loop and a task, and a service may have neither

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Protocol

from qpsmtpd.services.program import Finished, ProcessError, Program, start

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BlockingProcess", "Finished", "LoopProcess", "Process", "ProcessError"]

LIMIT = 65536
TIMEOUT = 60.0
#: seconds between two looks at a program, where the kernel cannot tell that it has ended
_TICK = 0.02
#: seconds for the kernel to end what was killed
_GRACE = 2.0
#: seconds an event loop waits for the same, when a caller has left
_BRIEF = 0.05


class Process(Protocol):
    """Runs programs."""

    async def run(
        self,
        arguments: Sequence[str],
        *,
        input: bytes | Iterable[bytes] = b"",  # noqa: A002 - the word of subprocess
        envelope: bytes | None = None,
        timeout: float = TIMEOUT,
        limit: int = LIMIT,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> Finished:
        """Run a program to its end.

        A program may end without reading all of its input. What it leaves running of its own
        accord is left alone, unless the deadline comes first.

        Args:
            arguments: the program, looked up in PATH unless it has a slash, and its arguments.
            input: for descriptor 0; blocks of a message are taken as the program reads.
            envelope: for descriptor 1, which then is an input, too (qmail-queue(8)).
            timeout: seconds for all of it.
            limit: octets kept of output and of errors; the rest is read and dropped.
            environment: instead of our own.
            directory: where to run it.

        Raises:
            ProcessError: it could not be started, or its exit code was lost.
        """
        ...


class BlockingProcess:
    """Runs programs while its caller waits; never suspends."""

    async def run(
        self,
        arguments: Sequence[str],
        *,
        input: bytes | Iterable[bytes] = b"",  # noqa: A002 - the word of subprocess
        envelope: bytes | None = None,
        timeout: float = TIMEOUT,
        limit: int = LIMIT,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> Finished:
        """Run a program to its end; see ``Process``."""
        program = start(arguments, input, envelope, limit, environment, directory)
        deadline = time.monotonic() + timeout
        try:
            timed_out = not _wait(program, deadline)
            if timed_out:
                program.kill()
                if not _wait(program, time.monotonic() + _GRACE, feed=False):
                    program.disown()
            return program.finished(timed_out=timed_out)
        except BaseException:
            # The input failed, or a signal's handler raised: nothing may stay behind.
            if program.code is None:
                program.kill()
                with suppress(ProcessError):
                    if not _wait(program, time.monotonic() + _GRACE, feed=False):
                        program.disown()
            raise
        finally:
            program.close()


def _wait(program: Program, deadline: float, *, feed: bool = True) -> bool:
    """Keep the program's pipes moving until it has ended; false when the deadline came first."""
    from select import POLLIN, POLLOUT, poll  # noqa: PLC0415 - not there on every system

    while not program.ended():
        now = time.monotonic()
        if now >= deadline:
            return False
        waiting = poll()
        if feed:
            for descriptor in program.feeds:
                waiting.register(descriptor, POLLOUT)
            for descriptor in program.drains:
                waiting.register(descriptor, POLLIN)
        seconds = deadline - now
        if program.pidfd is None:
            seconds = min(seconds, _TICK)
        else:
            waiting.register(program.pidfd, POLLIN)
        for descriptor, _ in waiting.poll(ceil(seconds * 1000)):
            if descriptor != program.pidfd and not program.ready(descriptor):
                program.drop(descriptor)
    return True


class LoopProcess:
    """Runs programs while the event loop goes on."""

    async def run(
        self,
        arguments: Sequence[str],
        *,
        input: bytes | Iterable[bytes] = b"",  # noqa: A002 - the word of subprocess
        envelope: bytes | None = None,
        timeout: float = TIMEOUT,
        limit: int = LIMIT,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> Finished:
        """Run a program to its end; see ``Process``."""
        program = start(arguments, input, envelope, limit, environment, directory)
        watch = _Watch(program)
        try:
            timed_out = await watch.ended(timeout)
            return program.finished(timed_out=timed_out)
        finally:
            watch.close()


class _Watch:
    """A program and the event loop that moves its pipes."""

    def __init__(self, program: Program) -> None:
        import asyncio  # noqa: PLC0415 - whoever runs a loop has it loaded

        self._program = program
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()
        self._watched: dict[int, Callable[[int], bool]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._killed = False

    async def ended(self, seconds: float) -> bool:
        """Wait until the program has ended; true when it had to be killed for it."""
        program, loop = self._program, self._loop
        self._timer = loop.call_later(seconds, self._kill)
        for descriptor in program.feeds:
            self._watched[descriptor] = loop.remove_writer
            loop.add_writer(descriptor, self._ready, descriptor)
        for descriptor in program.drains:
            self._watched[descriptor] = loop.remove_reader
            loop.add_reader(descriptor, self._ready, descriptor)
        if program.pidfd is not None:
            self._watched[program.pidfd] = loop.remove_reader
            loop.add_reader(program.pidfd, self._look)
        else:
            self._look()
        await self._future
        return self._killed

    def _kill(self) -> None:
        self._killed = True
        self._program.kill()
        self._timer = self._loop.call_later(_GRACE, self._give_up)

    def _ready(self, descriptor: int) -> None:
        # The loop must forget a descriptor before it is closed.
        forget = self._watched[descriptor]
        try:
            if not self._program.ready(descriptor):
                del self._watched[descriptor]
                forget(descriptor)
                self._program.drop(descriptor)
        except Exception as error:  # noqa: BLE001 - the input's: it goes to the caller
            self._wake(error)

    def _look(self) -> None:
        """See whether the program has ended, and come back where nobody will tell."""
        try:
            if self._program.ended():
                self._wake()
            elif self._program.pidfd is None:
                self._tick = self._loop.call_later(_TICK, self._look)
        except ProcessError as error:
            self._wake(error)

    def _give_up(self) -> None:
        self._program.disown()
        self._wake()

    def _wake(self, error: Exception | None = None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)

    def close(self) -> None:
        """Let go of the descriptors; a program that is left behind by its caller is killed."""
        program = self._program
        for timer in (self._timer, self._tick):
            if timer is not None:
                timer.cancel()
        if not self._loop.is_closed():
            for descriptor, forget in self._watched.items():
                forget(descriptor)
        self._watched.clear()
        if program.code is None:
            program.kill()
            # It is gone within a millisecond or so; a task would take longer to set up.
            with suppress(ProcessError):
                if not _wait(program, time.monotonic() + _BRIEF, feed=False):
                    program.disown()
        program.close()
