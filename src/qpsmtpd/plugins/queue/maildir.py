"""queue/maildir - deliver into maildirs on this host

DESCRIPTION

Writes the message to the maildir of the first argument:

    queue/maildir /var/mail/incoming

With a pattern as second argument each recipient gets a copy in a maildir of its own, below the
first argument: `%l` is the local part, `%d` the domain in lower case, `%u` the whole address.

    queue/maildir /home %d/%l/Maildir

Characters of an address that are not letters, digits or one of `-+_.,@=` become `_`, and so does
a dot at the beginning of a value: no address can name a directory outside the pattern. Two
addresses that differ only in such characters share a maildir.

Three octal digits as last argument are the permissions of directories made here; files get them
without the execute bits. Maildirs, and the directories above them, are made when needed.

A file is `Return-Path`, one `Delivered-To` for each recipient (the last one on top), then the
message with line feeds. Its name is made of the time, the process and a counter, so no two
deliveries meet.

The client is told `Queued!` after the file is written and synced, moved from `tmp` to `new`, and
the directories were synced. When a step fails, what was written is removed, for all recipients.

`sync no` leaves the syncing out. It is faster, and gives up the promise that goes with the reply:
a power failure may lose messages whose senders were told that all is well.

RESULTS

queue: OK `Queued! <message-id>`; DENYSOFT `Mail system full. (#4.3.1)` when the disk or a quota
is full; DECLINED `queue error (…)` for every other failure, so that a queue plugin further down
may take the message, and the client is asked to try again (451) if none does.

NOTES

Sets `queued_to` of the transaction: the list of the paths of the files delivered.

SEE ALSO

queue/discard
"""

# The system calls and their order are what this file is about.
# ruff: noqa: PTH100, PTH101, PTH102, PTH104, PTH108, PTH111, PTH112, PTH116, PTH118, PTH120

import errno
import os
import re
import socket
import stat
from collections.abc import Iterable
from itertools import count
from time import time_ns
from typing import Any

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    LOGERROR,
    LOGINFO,
    LOGWARN,
    OK,
    Address,
    Answer,
    ConfigError,
    Plugin,
    StorageError,
    Transaction,
    blocking,
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PERMISSIONS = re.compile(r"0?[0-7]{3}")
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_counter = count(1)


class _DeliveryError(Exception):
    """A delivery that was not made; nothing of it is left."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(f"{step}: {error}")
        self.step = step
        self.full = error.errno in _FULL


class Maildir(Plugin):
    """Writes messages to maildirs."""

    args: "Maildir.Args"

    class Args:
        positional = ("path", "pattern", "permissions")
        path: str  #: the maildir, or the directory that the pattern starts from
        pattern: str = ""  #: maildir of each recipient below the path: `%l`, `%d`, `%u`
        permissions: str = "700"  #: of directories made here, in octal
        sync: bool = True  #: `no` answers the client before the message is safe on disk

    def register(self) -> None:
        """Check the arguments.

        Raises:
            ConfigError: they name no place to write to.
        """
        pattern, permissions = self.args.pattern, self.args.permissions
        if _PERMISSIONS.fullmatch(pattern):  # the pattern may be left out
            pattern, permissions = "", pattern
        if not _PERMISSIONS.fullmatch(permissions):
            raise ConfigError(f"queue/maildir: permissions {permissions!r} are not octal, as 700")
        parts = pattern.split("/") if pattern else []
        if pattern and (not re.search("%[ldu]", pattern) or {"", ".", ".."} & set(parts)):
            raise ConfigError(
                f"queue/maildir: pattern {pattern!r} needs %l, %d or %u and plain names between "
                "slashes, as %d/%l"
            )
        self.root = os.path.abspath(os.path.expanduser(self.args.path))
        self.parts = parts
        self.directory_mode = int(permissions, 8)
        self.file_mode = self.directory_mode & 0o666
        self.host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
        if not os.access(_existing(self.root), os.W_OK | os.X_OK):
            self.log(LOGWARN, f"cannot write to {self.root}: every message will be answered 451")

    @blocking
    def hook_queue(self, transaction: Transaction) -> Answer:
        """Deliver, and answer when the message is safe."""
        message = transaction.message
        if message is None or not transaction.recipients:
            return DECLINED
        delivery = Delivery(self.host, self.file_mode, self.directory_mode, sync=self.args.sync)
        try:
            for maildir, trace in self.copies(transaction):
                delivery.write(maildir, trace, message)
            paths = delivery.finish()
        except StorageError as error:
            delivery.undo()
            self.log(LOGERROR, f"error, reading the message: {error}", transaction)
            return DENYSOFT, "Mail system full. (#4.3.1)"
        except _DeliveryError as failure:
            delivery.undo()
            self.log(LOGERROR, f"error, {failure}", transaction)
            if failure.full:
                return DENYSOFT, "Mail system full. (#4.3.1)"
            return DECLINED, f"queue error ({failure.step})"
        except BaseException:
            delivery.undo()
            raise
        transaction.notes["queued_to"] = paths
        for path in paths:
            self.log(LOGINFO, f"pass, queued to {path}", transaction)
        name = _printable(message.header.get("Message-Id") or "")
        return OK, f"Queued! {name}".rstrip()

    def copies(self, transaction: Transaction) -> Iterable[tuple[str, bytes]]:
        """Say which maildirs get a copy, and the trace fields of each."""
        sender = transaction.sender
        first = _field("Return-Path", "<>" if sender is None else sender.format())
        recipients = transaction.recipients
        if self.parts:
            return [(self.maildir(one), first + _delivered(one)) for one in recipients]
        return [(self.root, first + b"".join(_delivered(one) for one in reversed(recipients)))]

    def maildir(self, recipient: Address) -> str:
        """Path of the maildir of *recipient*."""
        values = {
            "%l": _plain(recipient.user),
            "%d": _plain(recipient.host.lower()),
            "%u": _plain(f"{recipient.user}@{recipient.host.lower()}"),
        }
        names = (re.sub("%[ldu]", lambda found: values[found[0]], part) for part in self.parts)
        return os.path.join(self.root, *names)


class Delivery:
    """All copies of one message; they appear together or not at all, as far as a disk can say."""

    __slots__ = ("_directory_mode", "_file_mode", "_host", "_sync", "_tmp", "_visible")

    def __init__(self, host: str, file_mode: int, directory_mode: int, *, sync: bool) -> None:
        self._host = host
        self._file_mode = file_mode
        self._directory_mode = directory_mode
        self._sync = sync
        self._tmp: list[tuple[str, str]] = []  # maildir and name of files in tmp
        self._visible: list[str] = []  # paths of files in new

    def write(self, maildir: str, trace: bytes, message: Any) -> None:
        """Write one copy to ``tmp`` and sync it.

        Args:
            maildir: path of the maildir, made when missing.
            trace: fields to put in front.
            message: the message; anything with ``size`` and ``send_to``.

        Raises:
            _DeliveryError: the copy is not on disk.
        """
        step = "open"
        try:
            descriptor = self._open(maildir)
            try:
                step = "write"
                os.fchmod(descriptor, self._file_mode)
                rest = memoryview(trace)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                message.send_to(descriptor)
                _complete(descriptor, len(trace) + message.size)
                step = "fsync"
                if self._sync:
                    os.fsync(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            step = "close"
            os.close(descriptor)
        except OSError as error:
            raise _DeliveryError(step, error) from error

    def finish(self) -> list[str]:
        """Move every copy to ``new`` and sync the directories.

        Returns:
            The paths of the files.

        Raises:
            _DeliveryError: not every copy is safe in its place.
        """
        step = "rename"
        try:
            for maildir, name in self._tmp:
                target = os.path.join(maildir, "new", name)
                os.rename(os.path.join(maildir, "tmp", name), target)
                self._visible.append(target)
            step = "fsync of directory"
            if self._sync:
                for directory in dict.fromkeys(map(os.path.dirname, self._visible)):
                    _sync_directory(directory)
        except OSError as error:
            raise _DeliveryError(step, error) from error
        return self._visible

    def undo(self) -> None:
        """Remove what was written."""
        for path in self._visible:
            _remove(path)
        for maildir, name in self._tmp:
            _remove(os.path.join(maildir, "tmp", name))

    def _open(self, maildir: str) -> int:
        name = f"{self._name()}.{self._host}"
        path = os.path.join(maildir, "tmp", name)
        # Known before it exists: a timeout may interrupt at any point, and undo() must find it.
        self._tmp.append((maildir, name))
        try:
            try:
                return os.open(path, _OPEN, 0o600)
            except FileNotFoundError:
                for name in ("", "tmp", "cur", "new"):
                    self._make(os.path.join(maildir, name) if name else maildir)
                return os.open(path, _OPEN, 0o600)
        except FileExistsError:  # somebody else's: not ours to remove
            self._tmp.pop()
            raise

    @staticmethod
    def _name() -> str:
        seconds, nanoseconds = divmod(time_ns(), 1_000_000_000)
        return f"{seconds}.P{os.getpid()}M{nanoseconds // 1000}Q{next(_counter)}"

    def _make(self, directory: str) -> None:
        """Make a directory and those above it; each entry is synced in its parent."""
        if os.path.isdir(directory):
            return
        parent = os.path.dirname(directory)
        self._make(parent)
        try:
            os.mkdir(directory, self._directory_mode)
        except FileExistsError:  # another process was faster
            return
        # the umask may have taken bits away; a set-group-ID bit came from the parent
        inherited = os.stat(directory).st_mode & stat.S_ISGID
        os.chmod(directory, self._directory_mode | inherited)
        if self._sync:
            _sync_directory(parent)


def _complete(descriptor: int, size: int) -> None:
    if os.fstat(descriptor).st_size != size:
        raise OSError(errno.EIO, "the file is not as long as the message")


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:  # gone, never made, or the disk is beyond help: the answer is 4xx anyway
        return


def _existing(path: str) -> str:
    """The nearest directory at or above *path* that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _plain(value: str) -> str:
    """Make part of an address a part of a file name."""
    plain = "".join(c if c.isalnum() or c in "-+_.,@=" else "_" for c in value)
    return "_" + plain[1:] if plain[:1] in {"", "."} else plain


def _field(name: str, value: str) -> bytes:
    line = "".join(character if character >= " " else "?" for character in value)
    return f"{name}: {line}\n".encode("utf-8", "surrogateescape")


def _delivered(recipient: Address) -> bytes:
    return _field("Delivered-To", recipient.address)


def _printable(value: str) -> str:
    """Cut a message id to what a reply line can carry (RFC 5321 §4.5.3.1.5)."""
    return "".join(character for character in value.strip() if "!" <= character <= "~")[:400]
