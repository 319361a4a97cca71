"""What the methods of a store mean, over any table of records.

All stores share this: a table reads, writes and deletes one record, and the rest follows.
"""

import json
from typing import Any, NamedTuple, Protocol

from qpsmtpd.services.store.contract import Function, StoreError, Value

__all__ = ["Operations", "Record", "Table", "decode", "encode", "place"]


class Record(NamedTuple):
    """A value as it is kept."""

    text: str  #: JSON
    expires: float | None  #: seconds since 1970; None for never


class Table(Protocol):
    """Records by namespace and key; expired ones are not there."""

    def now(self) -> float:
        """Return the time of day in seconds since 1970."""
        ...

    def read(self, space: str, key: str) -> Record | None:
        """Return a record."""
        ...

    def write(self, space: str, key: str, record: Record) -> None:
        """Store a record."""
        ...

    def remove(self, space: str, key: str) -> bool:
        """Delete a record; true when there was one."""
        ...


def place(space: str, name: str) -> str:
    """Return the namespace of *name* within *space*."""
    return f"{space}/{name}" if space else name


def encode(value: Value) -> str:
    """Write a value as JSON, in ASCII.

    Raises:
        StoreError: it is None, or JSON cannot hold it.
    """
    if value is None:
        raise StoreError("None cannot be stored: it means that nothing is there")
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"cannot be stored: {error}") from error


def decode(text: str) -> Value:
    """Read what ``encode`` wrote.

    Raises:
        StoreError: somebody else wrote it.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"a stored value cannot be read: {error}") from error


class Operations:
    """The methods of ``Store`` on one namespace of a table, without any waiting or locking."""

    __slots__ = ("_space", "_table")

    def __init__(self, table: Table, space: str) -> None:
        self._table = table
        self._space = space

    def get(self, key: str, default: Value) -> Value:
        """Return a value, or *default*."""
        found = self._table.read(self._space, key)
        return default if found is None else decode(found.text)

    def set(self, key: str, value: Value, ttl: float | None) -> None:
        """Store a value."""
        self._table.write(self._space, key, Record(encode(value), self._end(ttl)))

    def setdefault(self, key: str, value: Value, ttl: float | None) -> Value:
        """Return the value there is, or store one."""
        found = self._table.read(self._space, key)
        if found is not None:
            return decode(found.text)
        text = encode(value)
        self._table.write(self._space, key, Record(text, self._end(ttl)))
        return decode(text)

    def incr(self, key: str, by: float, ttl: float | None) -> Any:
        """Add to a number."""
        found = self._table.read(self._space, key)
        old = 0 if found is None else decode(found.text)
        if isinstance(old, bool) or not isinstance(old, int | float):
            raise StoreError(f"{key!r} holds no number")
        end = self._end(ttl) if found is None else found.expires
        self._table.write(self._space, key, Record(encode(old + by), end))
        return old + by

    def update(self, key: str, function: Function, ttl: float | None) -> Value:
        """Replace a value by what a function makes of it."""
        found = self._table.read(self._space, key)
        new = function(None if found is None else decode(found.text))
        if new is None:
            self._table.remove(self._space, key)
            return None
        text = encode(new)
        end = found.expires if found is not None and ttl is None else self._end(ttl)
        self._table.write(self._space, key, Record(text, end))
        return decode(text)

    def delete(self, key: str) -> bool:
        """Take a value away."""
        return self._table.remove(self._space, key)

    def _end(self, ttl: float | None) -> float | None:
        return None if ttl is None else self._table.now() + ttl
