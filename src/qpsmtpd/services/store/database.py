"""The SQLite file behind a store: opened after the fork, locked for a bounded time, swept.

One file serves all processes of a host. It is in WAL mode: readers wait for nobody, writers for
one another. ``synchronous`` is NORMAL: a commit survives the death of any process of ours; when
the kernel or the power fails, the commits since the last checkpoint may be lost, but the file
stays whole. A lost greylisting entry costs a retry, and a sync for each would cost every client
the disk's time.

Rule: nothing of SQLite leaves this module but StoreError, which says what to do.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from random import random
from typing import Any

from qpsmtpd.services.clock import Clock
from qpsmtpd.services.store.contract import StoreError, Value
from qpsmtpd.services.store.record import Record, decode

__all__ = ["SWEEP_CHANCE", "SWEEP_ROWS", "Database", "Job", "Outcome"]

Job = Callable[[], Value]
#: what a job returned, or what it raised
Outcome = tuple[Value, Exception | None]

#: one writing transaction in so many sweeps; by chance, since a process may serve one client only
SWEEP_CHANCE = 1 / 200
#: expired records deleted in one sweep: more than is written between two, few enough to be quick
SWEEP_ROWS = 1000

#: octets the log file may keep between checkpoints
_WAL_LIMIT = 4_194_304
_PAUSE = 0.01  # seconds between two tries of what SQLite does not retry itself

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS entries (
        space TEXT NOT NULL,
        key BLOB NOT NULL,
        value TEXT NOT NULL,
        expires REAL,
        PRIMARY KEY (space, key)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS entries_expires ON entries (expires) WHERE expires IS NOT NULL;
"""

#: connections of a parent process: SQLite forbids closing them here, so they are kept for good
_inherited: list[sqlite3.Connection] = []


class Database:
    """A table of records in a file; to be used by one thread at a time."""

    def __init__(self, path: str, clock: Clock, *, busy_timeout: float, mode: int) -> None:
        """Name the file; it is opened when it is needed.

        Args:
            path: the file; its directory must be writable, too.
            clock: tells when a record has expired.
            busy_timeout: seconds to wait for other writers.
            mode: permissions of a new file.
        """
        self.path = path
        self.now = clock.now
        self._busy_timeout = busy_timeout
        self._mode = mode
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self.sweep_chance = SWEEP_CHANCE

    # The connection

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._pid == os.getpid():
                return self._connection
            _inherited.append(self._connection)
            self._connection = None
        with suppress(OSError):  # sqlite3 will say what is wrong, and make no file others can read
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, self._mode))
        made = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout,
            isolation_level=None,  # transactions are begun by us, and known to be immediate
            check_same_thread=False,  # whoever calls us takes turns
        )
        try:
            self._prepare(made)
        except BaseException:
            made.close()
            raise
        self._connection, self._pid = made, os.getpid()
        return made

    def _prepare(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                # Two processes that turn a new file to WAL at once do not wait for each other.
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = 1; COMMIT;"
                    )
                return
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.rollback()
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
            self._connection = None

    # Transactions

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read; each statement sees a whole state of its own.

        Raises:
            StoreError: the file cannot be used.
        """
        try:
            self._open()
            yield
        except sqlite3.Error as error:
            raise self._failed(error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Read and write while other writers wait; all of it is done, or nothing.

        Raises:
            StoreError: the file cannot be used, or others kept it for too long.
        """
        try:
            connection = self._begin()
            try:
                if random() < self.sweep_chance:  # noqa: S311 - nobody gains by guessing it
                    self._delete_expired()
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _begin(self) -> sqlite3.Connection:
        connection = self._open()
        if connection.in_transaction:
            raise StoreError("an update may only compute: it asked the store it updates")
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def perform(self, jobs: Sequence[Job], *, writes: bool) -> list[Outcome]:
        """Do several things in one transaction, and tell what became of each.

        A job that raises fails alone, for it has changed nothing by then; one that SQLite
        refuses fails all.

        Args:
            jobs: what to do.
            writes: False when all of them only read.

        Raises:
            StoreError: nothing was done.
        """
        with self.writing() if writes else self.reading():
            return [_outcome(job) for job in jobs]

    def _failed(self, error: sqlite3.Error) -> StoreError:
        """Say what is wrong in an operator's words, and start afresh with the next call."""
        if _is_busy(error):
            return StoreError(
                f"{self.path} stayed locked for {self._busy_timeout:g} seconds: {error}"
            )
        with suppress(sqlite3.Error):
            self.close()
        return StoreError(f"{self.path}: {error}; check file, directory and disk, or move it away")

    def sweep(self) -> int:
        """Delete expired records, at most ``SWEEP_ROWS``, and return how many.

        Raises:
            StoreError: the file cannot be used.
        """
        with self.writing():
            return self._delete_expired()

    def _delete_expired(self) -> int:
        cursor = self._open().execute(
            "DELETE FROM entries WHERE (space, key) IN"
            " (SELECT space, key FROM entries WHERE expires <= ? LIMIT ?)",
            (self.now(), SWEEP_ROWS),
        )
        return cursor.rowcount

    # Records, within reading or writing

    def read(self, space: str, key: str) -> Record | None:
        """Return a record that has not expired."""
        row = (
            self._open()
            .execute(
                "SELECT value, expires FROM entries WHERE space = ? AND key = ?",
                (_text(space), _octets(key)),
            )
            .fetchone()
        )
        if row is None or (row[1] is not None and row[1] <= self.now()):
            return None
        return Record(*row)

    def write(self, space: str, key: str, record: Record) -> None:
        """Store a record."""
        self._open().execute(
            "INSERT OR REPLACE INTO entries (space, key, value, expires) VALUES (?, ?, ?, ?)",
            (_text(space), _octets(key), *record),
        )

    def remove(self, space: str, key: str) -> bool:
        """Delete a record; true when there was one that had not expired."""
        there = self.read(space, key) is not None
        self._open().execute(
            "DELETE FROM entries WHERE space = ? AND key = ?", (_text(space), _octets(key))
        )
        return there

    def scan(self, space: str, prefix: str, limit: int | None) -> list[tuple[str, Value]]:
        """Return keys that begin with *prefix*, and their values, sorted by key."""
        first = _octets(prefix)
        query = "SELECT key, value FROM entries WHERE space = ? AND key >= ?"
        values: list[Any] = [_text(space), first]
        after = _successor(first)
        if after:
            query += " AND key < ?"
            values.append(after)
        query += " AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?"
        values += [self.now(), -1 if limit is None else limit]
        rows = self._open().execute(query, values).fetchall()
        return [(key.decode("utf-8", "surrogatepass"), decode(value)) for key, value in rows]


def _outcome(job: Job) -> Outcome:
    try:
        return job(), None
    except sqlite3.Error:
        raise
    except StopIteration as error:  # a future cannot carry it, as a coroutine cannot (PEP 479)
        return None, RuntimeError(f"a function raised {error!r}")
    except Exception as error:  # noqa: BLE001 - a function of the caller's: it is told
        return None, error


def _octets(key: str) -> bytes:
    """Write a key so that every text has one, undecodable octets of clients included."""
    return key.encode("utf-8", "surrogatepass")


def _text(space: str) -> str:
    return space.encode("utf-8", "backslashreplace").decode()


def _successor(prefix: bytes) -> bytes:
    """Return the first octets after all that begin with *prefix*; b"" when there are none."""
    rest = prefix.rstrip(b"\xff")
    return rest[:-1] + bytes((rest[-1] + 1,)) if rest else b""


def _is_busy(error: sqlite3.Error) -> bool:
    # Codes with details of their own (SQLITE_BUSY_RECOVERY) have the main one in the low octet.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
