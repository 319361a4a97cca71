"""A store in memory: for tests, and for what need not outlive its process."""

from threading import RLock
from typing import Any

from qpsmtpd.services.clock import Clock, SystemClock
from qpsmtpd.services.store.contract import Function, Store, Value
from qpsmtpd.services.store.record import Operations, Record, decode, place

__all__ = ["MemoryStore"]


class _Records:
    """A table in a dict."""

    def __init__(self, clock: Clock, entries: int) -> None:
        self.now = clock.now
        self.lock = RLock()
        self.kept: dict[tuple[str, str], Record] = {}
        self._entries = entries

    def read(self, space: str, key: str) -> Record | None:
        found = self.kept.get((space, key))
        if found is not None and found.expires is not None and found.expires <= self.now():
            del self.kept[space, key]
            return None
        return found

    def write(self, space: str, key: str, record: Record) -> None:
        if len(self.kept) >= self._entries and (space, key) not in self.kept:
            self._make_room()
        self.kept[space, key] = record

    def remove(self, space: str, key: str) -> bool:
        there = self.read(space, key) is not None
        self.kept.pop((space, key), None)
        return there

    def _make_room(self) -> None:
        """Drop what has expired, or else the tenth that was stored first."""
        for place_ in list(self.kept):
            self.read(*place_)
        if len(self.kept) >= self._entries:
            for place_ in list(self.kept)[: self._entries // 10 + 1]:
                del self.kept[place_]


class MemoryStore:
    """The ``Store`` contract in memory; never suspends, so it suits both flavours of driver."""

    def __init__(self, *, clock: Clock | None = None, entries: int = 100_000) -> None:
        """Make an empty store.

        Args:
            clock: tells when a value has expired; None for the computer's.
            entries: values kept at most; then the oldest go.
        """
        self._space = ""
        self._records = _Records(clock or SystemClock(), entries)
        self._do = Operations(self._records, "")

    def namespace(self, name: str) -> Store:
        """Return the store of *name*; see ``Store``."""
        made = MemoryStore.__new__(MemoryStore)
        made._space = place(self._space, name)  # noqa: SLF001 - it is one of us
        made._records = self._records  # noqa: SLF001
        made._do = Operations(self._records, made._space)  # noqa: SLF001
        return made

    async def get(self, key: str, default: Value = None) -> Value:
        """Return a value; see ``Store``."""
        with self._records.lock:
            return self._do.get(key, default)

    async def set(self, key: str, value: Value, *, ttl: float | None = None) -> None:
        """Store a value; see ``Store``."""
        with self._records.lock:
            self._do.set(key, value, ttl)

    async def setdefault(self, key: str, value: Value, *, ttl: float | None = None) -> Value:
        """Return the value there is, or store one; see ``Store``."""
        with self._records.lock:
            return self._do.setdefault(key, value, ttl)

    async def incr(self, key: str, by: float = 1, *, ttl: float | None = None) -> Any:
        """Add to a number; see ``Store``."""
        with self._records.lock:
            return self._do.incr(key, by, ttl)

    async def update(self, key: str, function: Function, *, ttl: float | None = None) -> Value:
        """Replace a value by what a function makes of it; see ``Store``."""
        with self._records.lock:
            return self._do.update(key, function, ttl)

    async def delete(self, key: str) -> bool:
        """Take a value away; see ``Store``."""
        with self._records.lock:
            return self._do.delete(key)

    async def scan(self, prefix: str = "", *, limit: int | None = None) -> list[tuple[str, Value]]:
        """Return keys that begin with *prefix*, and their values; see ``Store``."""
        with self._records.lock:
            keys = sorted(
                key
                for space, key in list(self._records.kept)
                if space == self._space
                and key.startswith(prefix)
                and self._records.read(space, key) is not None
            )
            kept = self._records.kept
            return [(key, decode(kept[self._space, key].text)) for key in keys[:limit]]

    def close(self) -> None:
        """Do nothing: the values stay."""
