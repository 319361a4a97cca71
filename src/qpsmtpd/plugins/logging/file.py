"""logging/file - write log lines to a file, or to a program

DESCRIPTION

    logging/file loglevel LOGINFO /var/log/qpsmtpd/%Y-%m-%d.log

What stands behind the options is the path. In it strftime(3) fields are filled in, and `%i` by the
id of the connection, or `parent` for what concerns none. The file is made when it is not there;
its directory has to exist.

A line is `<time> <host>[<process>]: <text>`, appended with one write, so many processes may share
a file. An event is one line whatever is in it; `nosplit` of the original is taken and not needed.

After the file was renamed or removed, or when the path has changed with the time, the next line
goes to a new file; whether it was is looked at once a second, with `reopen` before every line.

A path that begins with `|` is a program with its arguments, in which quotes group words. It gets
the lines on its standard input; no shell is involved. When it ends it is started again, at most
once in ten seconds.

RESULTS

logging: always DECLINED.

SEE ALSO

logging/json, logging/warn, logging/syslog
"""

# Descriptors are handled here, not paths; pathlib has none.
# ruff: noqa: PTH100, PTH110, PTH112, PTH116

import os
import shlex
import signal
import socket
import time
from contextlib import suppress

from qpsmtpd.plugin import LOGWARN, ConfigError, LogEvent, LogLevel, Plugin

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
_LOOK = 1.0  # seconds between two looks whether the file is still there
_PAUSE = 10.0  # seconds between two starts of a program


class File(Plugin):
    """Writes to a file or a program."""

    args: "File.Args"

    class Args:
        rest = "path"
        path: str  #: where to write; `|` in front of a program
        loglevel: LogLevel = LOGWARN  #: least urgent level to write
        nosplit: bool = False  #: not needed any more
        reopen: bool = False  #: look before every line whether the file is still there
        tsformat: str = "%a %b %d %T %Y"  #: time in front of a line, as strftime(3) has it

    def register(self) -> None:
        """Check the path.

        Raises:
            ConfigError: nothing can be written there.
        """
        self.log_level_wanted = self.args.loglevel
        self.host = socket.gethostname()
        path = self.args.path.strip()
        if path.startswith("|"):
            self.target: _Target = _Program(path[1:])
        else:
            self.target = _File(os.path.abspath(path), every_time=self.args.reopen)

    def hook_logging(self, event: LogEvent) -> None:
        """Write one line."""
        if event.level <= self.args.loglevel:
            line = self.line(event) + "\n"
            self.target.write(line.encode("utf-8", "backslashreplace"), event)

    def line(self, event: LogEvent) -> str:
        """The line for *event*, without newline."""
        stamp = time.strftime(self.args.tsformat, time.localtime(event.time))
        return f"{stamp} {self.host}[{event.pid}]: {event.text}"


class _Target:
    """Somewhere to write to."""

    __slots__ = ()

    def write(self, line: bytes, event: LogEvent) -> None:
        """Write one line.

        Raises:
            OSError: it could not be written.
        """
        raise NotImplementedError


class _File(_Target):
    """A file that may be moved away at any time."""

    __slots__ = ("_descriptor", "_every_time", "_identity", "_looked", "_path", "_pattern")

    def __init__(self, pattern: str, *, every_time: bool) -> None:
        self._pattern = pattern
        self._every_time = every_time
        self._path = ""
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None
        self._looked = 0.0
        directory, name = os.path.split(pattern)
        if "%" not in directory:
            _check(directory, pattern if "%" not in name else directory)

    def write(self, line: bytes, event: LogEvent) -> None:
        path = self._expand(event)
        if "%i" in self._pattern:  # a file for each connection is not kept open
            descriptor = os.open(path, _FLAGS, 0o640)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
            return
        now = time.monotonic()
        if path != self._path or self._every_time or now - self._looked >= _LOOK:
            self._look(path)
            self._looked = now
        os.write(self._descriptor, line)

    def _expand(self, event: LogEvent) -> str:
        if "%" not in self._pattern:
            return self._pattern
        known = (event.connection_id or "parent").replace("/", "_").replace("%", "%%")
        return time.strftime(self._pattern.replace("%i", known), time.localtime(event.time))

    def _look(self, path: str) -> None:
        """Open *path*, unless it is the file that is open."""
        if path == self._path and self._descriptor >= 0:
            try:
                found = os.stat(path)
            except FileNotFoundError:
                pass
            else:
                if (found.st_dev, found.st_ino) == self._identity:
                    return
        try:
            descriptor = os.open(path, _FLAGS, 0o640)
        except OSError:
            if self._descriptor < 0:
                raise
            return  # better in the old file than nowhere
        old = self._descriptor
        found = os.fstat(descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._path, self._descriptor = path, descriptor
        if old >= 0:
            # Another thread may be about to write to the old number: make it mean the new file.
            os.dup2(descriptor, old, inheritable=False)
            self._descriptor = old
            os.close(descriptor)


class _Program(_Target):
    """A program that reads lines."""

    __slots__ = ("_arguments", "_descriptor", "_pid", "_started")

    def __init__(self, command: str) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"program {command!r}: {error}") from error
        if not self._arguments:
            raise ConfigError("no program behind the |")
        self._descriptor = -1
        self._pid = 0
        self._started = float("-inf")

    def write(self, line: bytes, event: LogEvent) -> None:
        if self._descriptor < 0:
            self._start()
        try:
            os.write(self._descriptor, line)
        except BrokenPipeError:
            self.close()
            self._start()
            os.write(self._descriptor, line)

    def _start(self) -> None:
        now = time.monotonic()
        if now - self._started < _PAUSE:
            raise OSError(f"{self._arguments[0]} has ended, and is not started again yet")
        self._started = now
        reading, writing = os.pipe()
        try:
            self._pid = os.posix_spawnp(
                self._arguments[0],
                self._arguments,
                os.environ,
                # Descriptor 1 may be the client: what the program says goes where errors go.
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    (os.POSIX_SPAWN_DUP2, 2, 1),
                ],
                setsigdef=[signal.SIGPIPE],
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._descriptor = writing

    def close(self) -> None:
        """Let the program see the end of its input."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._pid:
            with suppress(ChildProcessError):  # started before a fork, or reaped by the arbiter
                os.waitpid(self._pid, os.WNOHANG)
            self._pid = 0


def _check(directory: str, path: str) -> None:
    """Find out whether *path* can be written, without making it.

    Raises:
        ConfigError: it cannot.
    """
    if not os.path.isdir(directory):
        raise ConfigError(f"there is no directory {directory}; make it, for the server's user")
    if os.path.isdir(path) and path != directory:
        raise ConfigError(f"{path} is a directory; name a file in it")
    there = path if os.path.exists(path) else directory
    if not os.access(there, os.W_OK):
        raise ConfigError(f"{there} cannot be written by user {os.geteuid()}")
