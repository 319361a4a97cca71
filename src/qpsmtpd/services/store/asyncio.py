"""A store in one SQLite file, for an event loop: one thread owns it and commits in groups.

Callers queue; the thread takes all that has queued up, does it in one transaction and reports
once. So a commit costs the disk the same for one caller and for a hundred, and no caller waits
for more than two of them.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from qpsmtpd.services.clock import Clock, SystemClock
from qpsmtpd.services.store.contract import Function, Store, StoreError, Value
from qpsmtpd.services.store.database import Database, Job, Outcome
from qpsmtpd.services.store.record import Operations, place
from qpsmtpd.services.store.sqlite import BUSY_TIMEOUT, MODE

__all__ = ["GROUP", "QUEUED", "TIMEOUT", "LoopSqliteStore"]

#: calls in one transaction at most
GROUP = 256
#: calls that may wait; more means a disk that does not keep up
QUEUED = 10_000
#: seconds until a caller is told that the disk does not answer; its call may still be done
TIMEOUT = 15.0


class LoopSqliteStore:
    """The ``Store`` contract on a file shared by all processes; the event loop goes on.

    ``Database`` says what a crash can lose. The file is opened and the thread started by the
    first call, and again by the first call after a fork.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock | None = None,
        busy_timeout: float = BUSY_TIMEOUT,
        mode: int = MODE,
        timeout: float = TIMEOUT,
    ) -> None:
        """Name the file.

        Args:
            path: the file; its directory must be writable, too.
            clock: tells when a value has expired; None for the computer's.
            busy_timeout: seconds to wait for other processes' writers.
            mode: permissions of a new file.
            timeout: seconds a call may take.
        """
        database = Database(path, clock or SystemClock(), busy_timeout=busy_timeout, mode=mode)
        self._space = ""
        self._owner = _Owner(database, timeout)
        self._do = Operations(database, "")

    @property
    def database(self) -> Database:
        """The file; for the owning thread only."""
        return self._owner.database

    def namespace(self, name: str) -> Store:
        """Return the store of *name*; see ``Store``."""
        made = LoopSqliteStore.__new__(LoopSqliteStore)
        made._space = place(self._space, name)  # noqa: SLF001 - it is one of us
        made._owner = self._owner  # noqa: SLF001
        made._do = Operations(self._owner.database, made._space)  # noqa: SLF001
        return made

    async def get(self, key: str, default: Value = None) -> Value:
        """Return a value; see ``Store``."""
        return await self._owner.call(partial(self._do.get, key, default), writes=False)

    async def set(self, key: str, value: Value, *, ttl: float | None = None) -> None:
        """Store a value; see ``Store``."""
        await self._owner.call(partial(self._do.set, key, value, ttl))

    async def setdefault(self, key: str, value: Value, *, ttl: float | None = None) -> Value:
        """Return the value there is, or store one; see ``Store``."""
        return await self._owner.call(partial(self._do.setdefault, key, value, ttl))

    async def incr(self, key: str, by: float = 1, *, ttl: float | None = None) -> Any:
        """Add to a number; see ``Store``."""
        return await self._owner.call(partial(self._do.incr, key, by, ttl))

    async def update(self, key: str, function: Function, *, ttl: float | None = None) -> Value:
        """Replace a value by what a function makes of it, on the thread; see ``Store``."""
        return await self._owner.call(partial(self._do.update, key, function, ttl))

    async def delete(self, key: str) -> bool:
        """Take a value away; see ``Store``."""
        found: bool = await self._owner.call(partial(self._do.delete, key))
        return found

    async def scan(self, prefix: str = "", *, limit: int | None = None) -> list[tuple[str, Value]]:
        """Return keys that begin with *prefix*, and their values; see ``Store``."""
        scan = partial(self._owner.database.scan, self._space, prefix, limit)
        found: list[tuple[str, Value]] = await self._owner.call(scan, writes=False)
        return found

    def close(self) -> None:
        """Do what has queued up, and close the file; the next call opens it again."""
        self._owner.stop()


class _Request(NamedTuple):
    job: Job
    writes: bool
    future: asyncio.Future[Value]


_Queue = SimpleQueue["_Request | None"]


class _Owner:
    """The thread, its queue, and the way back to the callers."""

    def __init__(self, database: Database, timeout: float) -> None:
        self.database = database
        self._timeout = timeout
        self._queue: _Queue = SimpleQueue()
        self._thread: Thread | None = None
        self._pid = 0

    async def call(self, job: Job, *, writes: bool = True) -> Value:
        """Have the thread do something.

        Raises:
            StoreError: it could not, or not in time.
        """
        self._start()
        if self._queue.qsize() >= QUEUED:
            raise StoreError(f"{self.database.path}: {QUEUED} calls wait already")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value] = loop.create_future()
        # A timer of our own: asyncio.timeout needs a task, and there may be none.
        timer = loop.call_later(self._timeout, self._late, future)
        self._queue.put(_Request(job, writes, future))
        try:
            return await future
        finally:
            timer.cancel()

    def _late(self, future: asyncio.Future[Value]) -> None:
        if not future.done():
            text = f"{self.database.path}: no answer from the disk in {self._timeout:g} seconds"
            future.set_exception(StoreError(text))

    def _start(self) -> None:
        if self._thread is not None and self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._queue = SimpleQueue()  # what a parent has queued is the parent's
        self._thread = Thread(
            target=self._run, args=(self._queue,), name="qpsmtpd store", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None or self._pid != os.getpid():
            return
        self._queue.put(None)
        self._thread.join()
        self._thread = None

    def _run(self, queue: _Queue) -> None:
        while (first := queue.get()) is not None:
            group = [first]
            more: _Request | None = first
            while more is not None and len(group) < GROUP:
                try:
                    more = queue.get_nowait()
                except Empty:
                    break
                if more is not None:
                    group.append(more)
            self._report(group, self._perform(group))
            if more is None:
                break
        self.database.close()

    def _perform(self, group: list[_Request]) -> list[Outcome]:
        try:
            return self.database.perform(
                [request.job for request in group],
                writes=any(request.writes for request in group),
            )
        except Exception as error:  # noqa: BLE001 - the callers are told; the thread lives on
            return [(None, error)] * len(group)

    @staticmethod
    def _report(group: list[_Request], outcomes: list[Outcome]) -> None:
        reports: dict[asyncio.AbstractEventLoop, list[tuple[_Request, Outcome]]] = {}
        for request, outcome in zip(group, outcomes, strict=True):
            reports.setdefault(request.future.get_loop(), []).append((request, outcome))
        for loop, report in reports.items():
            try:
                loop.call_soon_threadsafe(_deliver, report)
            except RuntimeError:
                continue  # the loop was closed: nobody waits there


def _deliver(report: list[tuple[_Request, Outcome]]) -> None:
    for request, (value, error) in report:
        if request.future.done():
            continue  # its caller has left
        if error is None:
            request.future.set_result(value)
        else:
            request.future.set_exception(error)
