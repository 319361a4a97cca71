"""What all workers know of one another: counters in anonymous memory that they share.

Rule: a row has one writer. A worker writes its own; its generation clears it when the worker is
dead; the arbiter clears the rows of a dead generation. So nothing is locked.

Every column is contiguous over the rows: a sum over all workers is one slice. Connections by
address are counted in buckets, found by a keyed hash, so that nobody can aim at a bucket; two
hashes, of which the smaller count is taken, keep strangers from being counted together.
"""

import os
from hashlib import blake2b
from mmap import mmap
from typing import Final, NamedTuple

from qpsmtpd.errors import ConfigError

__all__ = ["BUCKETS", "COLUMNS", "Row", "Scoreboard", "Status"]

BUCKETS: Final = 8192
COLUMNS: Final = ("pid", "heartbeat", "open", "accepted", "refused", "messages")
_HEADER: Final = 64  #: octets: number of rows, key
_KEY: Final = 16


class Status(NamedTuple):
    """One worker, as others see it."""

    row: int
    pid: int
    heartbeat: int  #: monotonic clock, milliseconds
    open: int  #: connections it serves
    accepted: int  #: connections it has served or serves
    refused: int  #: connections it has answered 421 or refused before the greeting
    messages: int  #: messages it has taken


class Scoreboard:
    """The shared memory, seen from any process of the daemon."""

    __slots__ = ("_buckets", "_columns", "_key", "_map", "fd", "rows")

    def __init__(self, fd: int) -> None:
        """Map a scoreboard.

        Args:
            fd: what ``create`` made; stays open, so that it can be handed on.
        """
        self.fd = fd
        self._map = mmap(fd, 0)
        self.rows = int.from_bytes(self._map[:8], "little")
        self._key = self._map[8 : 8 + _KEY]
        view = memoryview(self._map)
        end = _HEADER + 8 * self.rows * len(COLUMNS)
        words = view[_HEADER:end].cast("Q")
        self._columns = {
            name: words[index * self.rows : (index + 1) * self.rows]
            for index, name in enumerate(COLUMNS)
        }
        self._buckets = view[end : end + 2 * self.rows * BUCKETS].cast("H")

    @classmethod
    def create(cls, rows: int) -> "Scoreboard":
        """Make an empty one for *rows* workers; pages nobody touched cost nothing.

        Raises:
            ConfigError: the system gives no memory for it.
        """
        fd = -1
        try:
            fd = os.memfd_create("qpsmtpd-scoreboard")
            os.ftruncate(fd, _HEADER + 8 * rows * len(COLUMNS) + 2 * rows * BUCKETS)
            os.pwrite(fd, rows.to_bytes(8, "little") + os.urandom(_KEY), 0)
            return cls(fd)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise ConfigError(
                f"cannot make the memory that workers share: {error.strerror}; raise the limits "
                "of the process (`ulimit -a` shows them)"
            ) from error

    def close(self) -> None:
        """Forget the memory; it is freed when the last process has done so."""
        os.close(self.fd)

    def row(self, index: int) -> "Row":
        """The row at *index*, to write to."""
        return Row(self, index)

    def total(self, column: str) -> int:
        """Sum of a column over all workers."""
        return sum(self._columns[column])

    def get(self, column: str, row: int) -> int:
        """One field."""
        return self._columns[column][row]

    def set(self, column: str, row: int, value: int) -> None:
        """Write one field."""
        self._columns[column][row] = value

    def buckets(self, address: bytes) -> tuple[int, int]:
        """Where an address is counted: two offsets of the buckets' first rows."""
        digest = int.from_bytes(blake2b(address, digest_size=8, key=self._key).digest(), "little")
        rows = self.rows
        return (digest % BUCKETS) * rows, ((digest >> 32) % BUCKETS) * rows

    def others(self, buckets: tuple[int, int], row: int) -> int:
        """How many connections of an address the other workers have, at most."""
        first, second = buckets
        counts, rows = self._buckets, self.rows
        return min(
            sum(counts[first : first + rows]) - counts[first + row],
            sum(counts[second : second + rows]) - counts[second + row],
        )

    def count(self, buckets: tuple[int, int], row: int, by: int) -> None:
        """Add to a worker's own buckets of an address."""
        first, second = buckets
        self._buckets[first + row] += by
        if first != second:
            self._buckets[second + row] += by

    def clear(self, row: int) -> None:
        """Forget a worker that is dead."""
        for column in self._columns.values():
            column[row] = 0
        self._buckets[row :: self.rows] = memoryview(bytes(2 * BUCKETS)).cast("H")

    def status(self) -> list[Status]:
        """All workers there are."""
        columns = [self._columns[name] for name in COLUMNS]
        return [
            Status(index, *(column[index] for column in columns))
            for index in range(self.rows)
            if columns[0][index]
        ]


class Row:
    """A worker's own row."""

    __slots__ = ("board", "index")

    def __init__(self, board: Scoreboard, index: int) -> None:
        self.board = board
        self.index = index

    def add(self, column: str, by: int = 1) -> None:
        """Add to a field."""
        self.board.set(column, self.index, self.board.get(column, self.index) + by)

    def set(self, column: str, value: int) -> None:
        """Write a field."""
        self.board.set(column, self.index, value)

    def get(self, column: str) -> int:
        """Read a field."""
        return self.board.get(column, self.index)
