"""Files of the spool: one without a name, and a directory with one that has.

Rule: what is created here cannot be guessed, is never opened if it exists, and is readable by us
alone.
"""

# pathlib would cost a forked child that spools 20 ms
# ruff: noqa: PTH101, PTH102, PTH106, PTH108, PTH112, PTH118

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from qpsmtpd.errors import StorageError

__all__ = ["NamedFile", "Storage", "UnnamedFile", "write_all"]

#: octets of one read
_BLOCK: Final = 131072
_FILE_MODE: Final = 0o600
_READ_WRITE: Final = os.O_RDWR | os.O_CLOEXEC
#: Linux; elsewhere the directory cannot be opened for writing, which is handled below
_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
#: a file system, or a kernel, that has no unnamed files
_NO_UNNAMED: Final = frozenset({errno.EISDIR, errno.EOPNOTSUPP, errno.EINVAL})
#: this destination takes no ``sendfile``
_NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK})


class Storage(NamedTuple):
    """Where and when messages go to disk."""

    spool_dir: str = ""  #: "": the directory for temporary files
    size_threshold: int = 262144  #: octets; a message of this size or more goes to a file
    spool_perms: int = 0o700  #: of ``spool_dir`` when we make it, and of the directory of a path

    def place(self) -> str:
        """Return the spool directory; make it when the configured one is missing.

        Raises:
            OSError: it cannot be made.
        """
        if not self.spool_dir:
            return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - names in it are exclusive
        if not os.path.isdir(self.spool_dir):
            with suppress(FileExistsError):  # another process was quicker
                _make_directory(self.spool_dir, self.spool_perms)
        return self.spool_dir


def _make_directory(path: str, mode: int) -> None:
    os.mkdir(path, 0o700)
    os.chmod(path, mode)  # whatever the umask


def _name() -> str:
    """Return a name nobody can guess."""
    return f"qpsmtpd-{os.getpid()}-{os.urandom(12).hex()}"


def _create(path: str) -> int:
    """Create a file that must not exist yet."""
    return os.open(path, _READ_WRITE | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE)


def _open_unnamed(directory: str) -> int:
    try:
        return os.open(directory, _READ_WRITE | _UNNAMED, _FILE_MODE)
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
    path = os.path.join(directory, _name())
    descriptor = _create(path)
    os.unlink(path)
    return descriptor


def write_all(descriptor: int, *blocks: bytes | memoryview) -> None:
    """Write all of some blocks to a descriptor that blocks, at best with one call.

    Raises:
        OSError: as the system says; some octets may have been written.
    """
    pending = [memoryview(block) for block in blocks if block]
    while pending:
        count = os.writev(descriptor, pending)
        while pending and count >= len(pending[0]):
            count -= len(pending.pop(0))
        if count:
            pending[0] = pending[0][count:]


class UnnamedFile:
    """A file that no directory lists: the system frees it with its descriptor."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, storage: Storage) -> None:
        """Create it, empty.

        Raises:
            OSError: it cannot be created.
        """
        self._descriptor = -1
        self.size = 0  #: octets
        self._descriptor = _open_unnamed(storage.place())

    def __del__(self) -> None:
        self.close()

    def write(self, *blocks: bytes) -> None:
        """Add blocks at the end.

        Raises:
            OSError: they cannot be stored, or not all of them.
        """
        write_all(self._descriptor, *blocks)
        self.size += sum(map(len, blocks))

    def read(self, start: int, end: int) -> bytes:
        """Return the octets from *start* up to *end*, fewer at the end of the file.

        Raises:
            StorageError: the system cannot read them.
        """
        blocks = []
        while start < end:
            try:
                block = os.pread(self._descriptor, end - start, start)
            except OSError as error:
                raise StorageError(f"cannot read the message: {error.strerror}") from error
            if not block:
                break
            blocks.append(block)
            start += len(block)
        return b"".join(blocks)

    def blocks(self, start: int) -> Iterator[bytes]:
        """Yield the octets from *start* on.

        Raises:
            StorageError: the system cannot read them.
        """
        while block := self.read(start, min(start + _BLOCK, self.size)):
            yield block
            start += len(block)

    def send_to(self, descriptor: int, start: int) -> None:
        """Write the octets from *start* on to a descriptor that blocks.

        Raises:
            OSError: the destination fails.
            StorageError: the system cannot read them.
        """
        while start < self.size:
            try:
                count = os.sendfile(descriptor, self._descriptor, start, self.size - start)
            except OSError as error:
                if error.errno not in _NO_SENDFILE:
                    raise
                count = 0
            if not count:
                break
            start += count
        for block in self.blocks(start):
            write_all(descriptor, block)

    def link(self, path: str) -> bool:
        """Give the file a name; False where the system cannot."""
        here = self._descriptor
        try:  # Python follows the link only when told of a directory, which a full path needs not
            os.link(f"/proc/self/fd/{here}", path, src_dir_fd=here, follow_symlinks=True)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Free the file; again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class NamedFile:
    """A file alone in a directory, both removed by ``close``."""

    __slots__ = ("_directory", "path")

    def __init__(self, storage: Storage, content: UnnamedFile | bytes) -> None:
        """Create it with its content.

        Raises:
            OSError: it cannot be created or filled.
            StorageError: the content cannot be read.
        """
        self._directory = ""
        self._directory = os.path.join(storage.place(), _name())
        self.path = os.path.join(self._directory, "message")
        _make_directory(self._directory, storage.spool_perms)
        try:
            if isinstance(content, bytes):
                self._fill(content)
            elif not content.link(self.path):
                self._fill(*content.blocks(0))
        except BaseException:
            self.close()
            raise

    def _fill(self, *blocks: bytes) -> None:
        descriptor = _create(self.path)
        try:
            write_all(descriptor, *blocks)
        finally:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file; again does nothing."""
        directory, self._directory = self._directory, ""
        if directory:
            with suppress(OSError):  # not made yet, or taken away
                os.unlink(self.path)
            with suppress(OSError):
                os.rmdir(directory)
