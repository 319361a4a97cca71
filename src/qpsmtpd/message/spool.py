"""Octets of a message: in memory up to a threshold, then in a file without a name.

Rule: nothing of a message outlives its process. The file never has a name, except while somebody
asked for one with ``path``; that name is gone after ``close``.
"""

from collections.abc import Iterator
from typing import Final

from qpsmtpd.errors import StorageError
from qpsmtpd.message.file import NamedFile, Storage, UnnamedFile, write_all

__all__ = ["Spool", "Storage"]

#: blocks that are joined to one, so that a client of tiny packets does not cost an object each
_RUN: Final = 64
#: limit of what is no longer appended to: every append takes the slow way, and is refused there
_SEALED: Final = -1


class Spool:
    """A growing sequence of octets with any number of readers."""

    __slots__ = ("_blocks", "_closed", "_file", "_full", "_limit", "_named", "_storage", "size")

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._blocks: list[bytes] = []  # until there is a file
        self._full = _RUN  # so many blocks ask for a join
        self._file: UnnamedFile | None = None
        self._named: NamedFile | None = None
        self._limit = storage.size_threshold
        self._closed = False
        self.size = 0  #: octets

    @property
    def spooled(self) -> bool:
        """True when the octets are in a file."""
        return self._file is not None

    def append(self, block: bytes) -> None:
        """Add octets at the end.

        Raises:
            StorageError: they cannot be stored; the spool is closed.
            ValueError: the spool was sealed or closed.
        """
        size = self.size + len(block)
        if size < self._limit:
            blocks = self._blocks
            blocks.append(block)
            if len(blocks) >= self._full:
                blocks[-_RUN:] = [b"".join(blocks[-_RUN:])]
                self._full += 1
        elif block:
            self._store(block)
        self.size = size

    def seal(self) -> None:
        """Take no more octets."""
        self._limit = _SEALED

    def _store(self, block: bytes) -> None:
        if self._limit == _SEALED:
            raise ValueError("the message takes no more content")
        try:
            file = self._file
            if file is None:
                file = self._file = UnnamedFile(self._storage)
                file.write(*self._blocks, block)
                self._blocks = []
                self._limit = 0
            else:
                file.write(block)
        except OSError as error:
            self.close()
            raise StorageError(f"cannot store the message: {error.strerror}") from error

    def _open(self) -> UnnamedFile | bytes:
        """Return what the octets are in."""
        if self._closed:
            raise ValueError("the message was closed")
        if self._file is not None:
            return self._file
        blocks = self._blocks
        if len(blocks) > 1:
            blocks[:] = [b"".join(blocks)]
            self._full = _RUN
        return blocks[0] if blocks else b""

    def read(self, start: int, end: int) -> bytes:
        """Return the octets from *start* up to *end*, fewer at the end of the spool.

        Raises:
            StorageError: the file cannot be read.
            ValueError: the spool was closed.
        """
        content = self._open()
        return content[start:end] if isinstance(content, bytes) else content.read(start, end)

    def blocks(self, start: int) -> Iterator[bytes]:
        """Iterate over the octets from *start* on; memory is one block, a file several.

        Raises:
            StorageError: the file cannot be read.
            ValueError: the spool was closed.
        """
        content = self._open()
        if isinstance(content, bytes):
            return iter((content[start:],) if start < len(content) else ())
        return content.blocks(start)

    def send_to(self, descriptor: int, start: int, head: bytes = b"") -> None:
        """Write *head* and the octets from *start* on to a descriptor that blocks.

        Raises:
            OSError: the destination fails.
            StorageError: the file cannot be read.
            ValueError: the spool was closed.
        """
        content = self._open()
        if isinstance(content, bytes):
            write_all(descriptor, head, memoryview(content)[start:])
        else:
            write_all(descriptor, head)
            content.send_to(descriptor, start)

    def path(self) -> str:
        """Return the path of a file with all the octets, made on the first call.

        The file has mode 0600 and is alone in a directory of mode ``spool_perms``. ``close``
        removes both.

        Raises:
            StorageError: the file cannot be made.
            ValueError: the spool was closed.
        """
        content = self._open()
        if self._named is None:
            try:
                self._named = NamedFile(self._storage, content)
            except OSError as error:
                raise StorageError(f"cannot store the message: {error.strerror}") from error
        return self._named.path

    def close(self) -> None:
        """Drop the octets; again does nothing."""
        self._closed = True
        self._limit = _SEALED
        self._blocks = []
        if self._file is not None:
            self._file.close()
        if self._named is not None:
            self._named.close()
