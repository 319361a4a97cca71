"""Control files of qmail and qpsmtpd.

One value on each line. Blank lines count for nothing, nor do lines that begin with ``#``; there
are no comments behind a value. ``$include`` splices in a file, by absolute path or by name, or
every plain file of a directory whose name does not begin with a dot, sorted. What is not there
is no error. A file whose ``$include`` closes a loop yields nothing, as in qpsmtpd.
"""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH112, PTH113, PTH123, PTH208

import os
import stat
from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Final, NamedTuple

from qpsmtpd.config.problem import Problem
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError

__all__ = ["Content", "Place", "load", "read", "unreadable"]

_BLANKS: Final = " \t\r\v\f"
_BOM: Final = b"\xef\xbb\xbf"
#: levels of $include; far beyond what people write, and before Python's own limit
MAX_DEPTH: Final = 50
#: files one value may be spliced from
MAX_FILES: Final = 10_000


class Place(NamedTuple):
    """Where a value stands."""

    file: str
    line: int  #: counted from 1; 0 when it is not known

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Content:
    """The values of a setting, in order, each with its place.

    Attributes:
        texts: the values.
        words: for plugin lines of a carrier that knows words apart, those; else None.
    """

    __slots__ = ("_files", "_lines", "_starts", "texts", "words")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.words: list[list[str]] | None = None
        self._lines = array("L")
        self._starts: list[int] = []  # index of the first value of each run from one file
        self._files: list[str] = []

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, text: str, file: str, line: int) -> None:
        """Append a value."""
        if not self._files or self._files[-1] != file:
            self._starts.append(len(self.texts))
            self._files.append(file)
        self.texts.append(text)
        self._lines.append(line)

    def cut(self, length: int) -> None:
        """Forget all but the first *length* values."""
        del self.texts[length:], self._lines[length:]
        while self._starts and self._starts[-1] >= length:
            self._starts.pop()
            self._files.pop()

    def place(self, index: int) -> Place:
        """Tell where a value stands."""
        return Place(self._files[bisect_right(self._starts, index) - 1], self._lines[index])

    def error(self, index: int, text: str) -> ConfigError:
        """Make an exception about a value."""
        file, line = self.place(index)
        return ConfigError(text, file=file, line=line or None)


def read(
    path: str, find: Callable[[str, Watch], str | None], watch: Watch
) -> tuple[Content, list[Problem]]:
    """Read a control file and what it includes.

    Args:
        path: the file.
        find: looks for an included name; tells where it is.
        watch: gets every file and directory that plays a part.

    Returns:
        The values, and what is wrong without making them useless.

    Raises:
        ConfigError: a file cannot be read, or is no UTF-8 text.
    """
    reader = _Reader(find, watch)
    reader.file(path, None)
    return reader.content, reader.problems


class _Reader:
    """One reading."""

    __slots__ = ("chain", "content", "count", "find", "problems", "watch")

    def __init__(self, find: Callable[[str, Watch], str | None], watch: Watch) -> None:
        self.find = find
        self.watch = watch
        self.content = Content()
        self.problems: list[Problem] = []
        self.chain: dict[tuple[int, int], str] = {}  # files being read, by device and inode
        self.count = 0

    def file(self, path: str, origin: Place | None) -> bool:
        """Read one file; False when it is being read already."""
        data, identity = load(path, self.watch, origin)
        if identity in self.chain:
            chain = " includes ".join((*self.chain.values(), path))
            text = f"circular $include, left out: {chain}; take one of them out"
            self._complain(text, origin)
            return False
        self.count += 1
        if len(self.chain) >= MAX_DEPTH or self.count > MAX_FILES:
            raise ConfigError(
                f"more than {MAX_DEPTH} levels or {MAX_FILES} files of $include; "
                "put the values into fewer files",
                file=path,
            )
        self.chain[identity] = path
        self._values(path, data)
        del self.chain[identity]
        return True

    def _values(self, path: str, data: bytes) -> None:
        """Add the values of one file."""
        add = self.content.add
        start = len(self.content)
        text, clean = _decode(path, data)
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip(_BLANKS)
            if not line or line[0] == "#":
                continue
            if not clean:
                _insist(line, path, number)
            if line[0] == "$" and line.split(None, 1)[0] == "$include":
                if self._include(line[8:].strip(), Place(path, number)) or len(self.chain) == 1:
                    continue
                self.content.cut(start)
                return
            add(line, path, number)

    def _include(self, target: str, origin: Place) -> bool:
        """Splice a file or directory in; False when that would be a loop."""
        if not target:
            raise ConfigError("$include names no file", file=origin.file, line=origin.line)
        path: str | None = target
        if target.startswith("/"):
            if self.watch.see(target) is None:
                path = None
        else:
            path = self.find(target, self.watch)
        if path is None:
            self._complain(f"$include {target}: there is no such file", origin, warning=True)
            return True
        if not os.path.isdir(path):
            return self.file(path, origin)
        try:
            names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        except OSError as error:
            raise unreadable(path, error, origin) from error
        paths = [f"{path}/{name}" for name in names]
        files = [inner for inner in paths if os.path.isfile(inner)]
        return sum(not self.file(inner, origin) for inner in files) == 0

    def _complain(self, text: str, origin: Place | None, *, warning: bool = False) -> None:
        file, line = origin or (None, None)
        self.problems.append(Problem(text, file, line, warning))


def load(path: str, watch: Watch, origin: Place | None = None) -> tuple[bytes, tuple[int, int]]:
    """Read a plain file.

    Args:
        path: the file.
        watch: gets it.
        origin: what included it, for messages.

    Returns:
        Its octets; its device and inode.

    Raises:
        ConfigError: it cannot be read.
    """
    watch.see(path)
    try:
        # a pipe must not keep us waiting
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError("is no plain file; put one in its place", file=path)
            return file.read(), (found.st_dev, found.st_ino)
    except OSError as error:
        raise unreadable(path, error, origin) from error


def unreadable(path: str, error: OSError, origin: Place | None = None) -> ConfigError:
    """Say that a file cannot be read, why, and what to do about it."""
    text = f"cannot be read: {error.strerror}"
    if isinstance(error, PermissionError):
        text += f"; let user {_user()} read it and enter every directory above it"
    if origin is not None:
        text += f" (included by {origin})"
    return ConfigError(text, file=path)


def _user() -> str:
    """Name whom we run as."""
    import pwd  # noqa: PLC0415 - only where something is wrong

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _decode(path: str, data: bytes) -> tuple[str, bool]:
    """Turn octets to text; also tells whether all of it is UTF-8.

    Comments of old files are in whatever encoding their time had, and may stay so.
    """
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise ConfigError(
            "holds NUL octets; save the file as plain UTF-8 text", file=path, line=line
        )
    data = data.removeprefix(_BOM)
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        return data.decode(errors="surrogateescape"), False


def _insist(line: str, path: str, number: int) -> None:
    """Refuse a value that is no UTF-8."""
    try:
        line.encode()
    except UnicodeEncodeError:
        raise ConfigError(
            "is not UTF-8; convert the file, as with iconv -f ISO-8859-1 -t UTF-8",
            file=path,
            line=number,
        ) from None
