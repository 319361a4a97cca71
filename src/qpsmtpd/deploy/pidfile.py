"""The file that names the running daemon."""

import fcntl
import os
from pathlib import Path

from qpsmtpd.errors import ConfigError

__all__ = ["PidFile", "alive"]


class PidFile:
    """Claimed before anything is started, written once the daemon runs, removed at its end.

    The lock settles a race between two that start at once; the number in the file is what other
    programs read, and what finds a daemon that does not lock.
    """

    __slots__ = ("_file", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1

    def claim(self) -> None:
        """Make sure that nobody else runs.

        Raises:
            ConfigError: somebody does, or the file cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise ConfigError(
                f"cannot open pid file {self.path}: {error.strerror}; its directory must exist "
                "and the file be writable for the user that starts the daemon"
            ) from error
        recorded = os.read(self._file, 32).strip()
        pid = int(recorded) if recorded.isdigit() else 0
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = True
        else:
            found = pid not in {0, os.getpid(), os.getppid()} and alive(pid)
        if found:
            self.release()
            raise ConfigError(f"Found an already running qpsmtpd with pid {pid}.")

    def write(self) -> None:
        """Record the calling process."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let go of the file and leave it."""
        os.close(self._file)
        self._file = -1

    def remove(self) -> None:
        """Delete the file, if it is still the one that was claimed."""
        if self._file < 0:
            return
        try:
            path = Path(self.path)
            if os.path.samestat(path.stat(), os.fstat(self._file)):
                path.unlink()
        except OSError:  # gone already, or the directory is no longer ours
            pass
        self.release()


def alive(pid: int) -> bool:
    """True if there is such a process; one that ended and was not waited for is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
