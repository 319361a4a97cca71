"""What a plugin may keep, and what can go wrong with it."""

from collections.abc import Callable
from typing import Any, Protocol

from qpsmtpd.errors import QpsmtpdError

__all__ = ["Function", "Store", "StoreError", "Value"]

#: anything JSON can hold; None stands for "nothing there"
Value = Any
Function = Callable[[Value], Value]


class StoreError(QpsmtpdError):
    """State could not be read or written: a temporary failure of ours (451, RFC 5321 §4.2.3).

    The file cannot be opened or written, is no database, or stayed locked for too long; or a
    value is no JSON, or no number where one is counted.
    """

    code = 451
    status = "4.3.0"


class Store(Protocol):
    """Values by key.

    What is stored comes back as JSON would bring it: tuples are lists, keys of dicts are text.
    Each method is atomic for all processes that share the store. Every one raises StoreError.
    """

    async def get(self, key: str, default: Value = None) -> Value:
        """Return a value, or *default*."""
        ...

    async def set(self, key: str, value: Value, *, ttl: float | None = None) -> None:
        """Store a value.

        Args:
            key: any text.
            value: what JSON can hold, but not None.
            ttl: seconds it lasts; None for ever.
        """
        ...

    async def setdefault(self, key: str, value: Value, *, ttl: float | None = None) -> Value:
        """Return the value there is, or store *value* and return that.

        Args:
            key: any text.
            value: as for ``set``.
            ttl: seconds *value* lasts; a value that is there keeps its time.
        """
        ...

    async def incr(self, key: str, by: float = 1, *, ttl: float | None = None) -> Any:
        """Add to a number, which is 0 when not there, and return the sum.

        Args:
            key: any text.
            by: what to add; may be negative.
            ttl: seconds a number lasts that was not there; one that is there keeps its time,
                so that a count covers *ttl* from its first event.
        """
        ...

    async def update(self, key: str, function: Function, *, ttl: float | None = None) -> Value:
        """Replace a value by what *function* makes of it, and return that.

        Args:
            key: any text.
            function: takes the value, or None, and returns the new one, or None to delete it.
                It runs while all other writers wait, perhaps on another thread: it computes and
                does nothing else. What it raises is raised, and nothing is changed.
            ttl: seconds the new value lasts; None leaves the time as it was.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Take a value away; true when there was one."""
        ...

    async def scan(self, prefix: str = "", *, limit: int | None = None) -> list[tuple[str, Value]]:
        """Return keys that begin with *prefix*, and their values, sorted by key.

        Args:
            prefix: "" for all keys of the namespace.
            limit: how many at most; None for all.
        """
        ...

    def namespace(self, name: str) -> "Store":
        """Return the store of *name*, whose keys are its own; below another's, a part of that."""
        ...

    def close(self) -> None:
        """Give back what is open; the next call opens it again."""
        ...
