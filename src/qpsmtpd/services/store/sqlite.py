"""A store in one SQLite file, for processes that serve one session at a time."""

from threading import RLock
from typing import Any

from qpsmtpd.services.clock import Clock, SystemClock
from qpsmtpd.services.store.contract import Function, Store, Value
from qpsmtpd.services.store.database import Database
from qpsmtpd.services.store.record import Operations, place

__all__ = ["BUSY_TIMEOUT", "MODE", "SqliteStore"]

#: seconds a writer waits for others, before it is an error
BUSY_TIMEOUT = 5.0
#: what is stored says who wrote to whom
MODE = 0o600


class SqliteStore:
    """The ``Store`` contract on a file shared by all processes; waits, but never suspends.

    ``Database`` says what a crash can lose. The file is opened by the first call, and again by
    the first call after a fork.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock | None = None,
        busy_timeout: float = BUSY_TIMEOUT,
        mode: int = MODE,
    ) -> None:
        """Name the file.

        Args:
            path: the file; its directory must be writable, too.
            clock: tells when a value has expired; None for the computer's.
            busy_timeout: seconds to wait for other writers.
            mode: permissions of a new file.
        """
        self._space = ""
        # For Apache's threaded MPMs, where sessions share a connection. One that calls from within
        # its own update gets SQLite's refusal, where a plain lock would keep it for ever.
        self._lock = RLock()
        self._database = Database(
            path, clock or SystemClock(), busy_timeout=busy_timeout, mode=mode
        )
        self._do = Operations(self._database, "")

    @property
    def database(self) -> Database:
        """The file."""
        return self._database

    def namespace(self, name: str) -> Store:
        """Return the store of *name*; see ``Store``."""
        made = SqliteStore.__new__(SqliteStore)
        made._space = place(self._space, name)  # noqa: SLF001 - it is one of us
        made._lock = self._lock  # noqa: SLF001
        made._database = self._database  # noqa: SLF001
        made._do = Operations(self._database, made._space)  # noqa: SLF001
        return made

    async def get(self, key: str, default: Value = None) -> Value:
        """Return a value; see ``Store``."""
        with self._lock, self._database.reading():
            return self._do.get(key, default)

    async def set(self, key: str, value: Value, *, ttl: float | None = None) -> None:
        """Store a value; see ``Store``."""
        with self._lock, self._database.writing():
            self._do.set(key, value, ttl)

    async def setdefault(self, key: str, value: Value, *, ttl: float | None = None) -> Value:
        """Return the value there is, or store one; see ``Store``."""
        with self._lock:
            with self._database.reading():  # most clients of a greylist are known already
                found = self._do.get(key, None)
            if found is not None:
                return found
            with self._database.writing():
                return self._do.setdefault(key, value, ttl)

    async def incr(self, key: str, by: float = 1, *, ttl: float | None = None) -> Any:
        """Add to a number; see ``Store``."""
        with self._lock, self._database.writing():
            return self._do.incr(key, by, ttl)

    async def update(self, key: str, function: Function, *, ttl: float | None = None) -> Value:
        """Replace a value by what a function makes of it; see ``Store``."""
        with self._lock, self._database.writing():
            return self._do.update(key, function, ttl)

    async def delete(self, key: str) -> bool:
        """Take a value away; see ``Store``."""
        with self._lock, self._database.writing():
            return self._do.delete(key)

    async def scan(self, prefix: str = "", *, limit: int | None = None) -> list[tuple[str, Value]]:
        """Return keys that begin with *prefix*, and their values; see ``Store``."""
        with self._lock, self._database.reading():
            return self._database.scan(self._space, prefix, limit)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._database.close()
