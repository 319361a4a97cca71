"""Constant databases: tables from octets to octets that are made once and read in place.

The format is D. J. Bernstein's: 256 pointers to hash tables, records, hash tables. A pointer is
position and number of slots, a slot is hash and position of a record, a record is two lengths,
key and value; all numbers have four octets, least significant first.
"""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH105, PTH108, PTH123

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from mmap import ACCESS_READ, mmap
from typing import Final

from qpsmtpd.errors import ConfigError

__all__ = ["Database", "write"]

_PAIR: Final = struct.Struct("<II")
_HEADER: Final = 256 * _PAIR.size
_LARGEST: Final = 0xFFFFFFFF


def _hash(key: bytes) -> int:
    found = 5381
    for octet in key:
        found = ((found << 5) + found) & _LARGEST ^ octet
    return found


class Database(Mapping[str, str]):
    """A database as a read-only mapping; the first record of a key counts.

    Replace the file by renaming a new one over it. One that is written to in place raises
    ConfigError until it is opened again.
    """

    __slots__ = ("_end", "_map", "_path")

    def __init__(self, path: str) -> None:
        """Open a database.

        Raises:
            OSError: it cannot be read.
            ConfigError: it is none.
        """
        self._path = path
        with open(path, "rb") as file:
            try:
                self._map = mmap(file.fileno(), 0, access=ACCESS_READ)
            except ValueError as error:  # an empty file
                raise self._damaged() from error
        if len(self._map) < _HEADER:
            raise self._damaged()
        #: where records end: at the first hash table
        self._end = min(_PAIR.unpack_from(self._map, 8 * table)[0] for table in range(256))
        if not _HEADER <= self._end <= len(self._map):
            raise self._damaged()

    def __getitem__(self, key: str) -> str:
        wanted = key.encode(errors="surrogateescape")
        position = self._find(wanted)
        if position < 0:
            raise KeyError(key)
        start, end, _ = self._record(position)
        return self._map[start + len(wanted) : end].decode(errors="surrogateescape")

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        return self._find(key.encode(errors="surrogateescape")) >= 0

    def __iter__(self) -> Iterator[str]:
        for position, key in self._records():
            if self._find(key) == position:
                yield key.decode(errors="surrogateescape")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Database({self._path!r})"

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def _find(self, key: bytes) -> int:
        """Find the first record of a key; -1 when there is none."""
        if self._map.size() != len(self._map):  # reading what was cut off kills the process
            raise ConfigError(
                "was changed in place; make a new file and rename it", file=self._path
            )
        hashed = _hash(key)
        start, slots = _PAIR.unpack_from(self._map, 8 * (hashed & 255))
        if not slots:
            return -1
        if start + 8 * slots > len(self._map):
            raise self._damaged()
        slot = (hashed >> 8) % slots
        for _ in range(slots):
            found, position = _PAIR.unpack_from(self._map, start + 8 * slot)
            if not position:
                return -1
            if found == hashed:
                begin, _, length = self._record(position)
                if length == len(key) and self._map[begin : begin + length] == key:
                    return int(position)
            slot = slot + 1 if slot + 1 < slots else 0
        return -1

    def _record(self, position: int) -> tuple[int, int, int]:
        """Look at a record: where its key begins, where its value ends, length of the key."""
        begin = position + 8
        if begin > self._end:
            raise self._damaged()
        length, size = _PAIR.unpack_from(self._map, position)
        end = begin + length + size
        if end > self._end:
            raise self._damaged()
        return begin, end, length

    def _records(self) -> Iterator[tuple[int, bytes]]:
        position = _HEADER
        while position < self._end:
            begin, end, length = self._record(position)
            yield position, self._map[begin : begin + length]
            position = end

    def _damaged(self) -> ConfigError:
        return ConfigError("is no constant database; make it again", file=self._path)


def write(path: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Make a database, and put it in place in one step.

    Args:
        path: where it is to be.
        records: keys with values; of equal keys the first counts.

    Raises:
        OSError: it cannot be written.
        struct.error: it would have more than 4 GiB, which is all that positions can tell.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(bytes(_HEADER))
            tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
            position = _HEADER
            for key, value in records:
                hashed = _hash(key)
                tables[hashed & 255].append((hashed, position))
                file.write(_PAIR.pack(len(key), len(value)) + key + value)
                position += 8 + len(key) + len(value)
            header = bytearray()
            for entries in tables:
                slots = _arrange(entries)
                header += _PAIR.pack(position, len(slots))
                file.write(b"".join(_PAIR.pack(*slot) for slot in slots))
                position += 8 * len(slots)
            file.seek(0)
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _arrange(entries: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spread hashes and positions over a table twice as large, in order of insertion."""
    count = 2 * len(entries)
    slots = [(0, 0)] * count
    for hashed, position in entries:
        slot = (hashed >> 8) % count
        while slots[slot][1]:
            slot = (slot + 1) % count
        slots[slot] = hashed, position
    return slots
