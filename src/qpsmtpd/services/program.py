"""A running program: pipes that never block, an exit code that is not lost, a way to end it.

Rules: a program is a list of arguments, never a line for a shell. It leads a process group of its
own, and killing it kills all of that, so nothing a script has started stays behind.
"""

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from qpsmtpd.errors import QpsmtpdError

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["Finished", "ProcessError", "Program", "start"]

_BLOCK = 65536
#: octets of input put together for one write, since a message may come in short lines
_GATHER = 32768
#: blocks read from a pipe whose program has ended: it holds no more, unless others write
_REST = 16

#: programs that were killed and nobody could wait for; they are reaped when the next one starts
_disowned: list[int] = []


class ProcessError(QpsmtpdError):
    """A program could not be started, or what became of it is unknown (451, RFC 5321 §4.2.3)."""

    code = 451
    status = "4.3.0"


class Finished(NamedTuple):
    """What became of a program."""

    code: int  #: its exit code; negative, the number of the signal that ended it
    output: bytes  #: what it wrote to descriptor 1, from the beginning
    errors: bytes  #: what it wrote to descriptor 2, from the beginning
    truncated: bool = False  #: one of the two was longer than the limit
    timed_out: bool = False  #: it was killed at the deadline; ``code`` is that of the kill


class _Feed:
    """A pipe to the program and what is left to write to it."""

    def __init__(self, descriptor: int, blocks: bytes | Iterable[bytes]) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._blocks: Iterator[bytes] = iter((blocks,) if isinstance(blocks, bytes) else blocks)
        self._rest = memoryview(b"")

    def write(self) -> bool:
        """Write what fits; false when there is no more to write, or nobody reads it."""
        try:
            while self._rest or self._fill():
                self._rest = self._rest[os.write(self.descriptor, self._rest) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return False

    def _fill(self) -> bool:
        gathered = bytearray()
        for block in self._blocks:
            gathered += block
            if len(gathered) >= _GATHER:
                break
        self._rest = memoryview(bytes(gathered))
        return bool(gathered)


class _Drain:
    """A pipe from the program and what is kept of it."""

    def __init__(self, descriptor: int, limit: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.kept = bytearray()
        self.truncated = False
        self._limit = limit

    def read(self) -> bool:
        """Read once; false at the end.

        Raises:
            BlockingIOError: there is nothing now.
        """
        block = os.read(self.descriptor, _BLOCK)
        room = self._limit - len(self.kept)
        self.kept += block[:room]
        self.truncated = self.truncated or len(block) > room
        return bool(block)


class Program:
    """A running program and our ends of its pipes; whoever holds it waits for its descriptors."""

    def __init__(
        self,
        arguments: Sequence[str],
        inputs: Sequence[bytes | Iterable[bytes]],
        limit: int,
        environment: Mapping[str, str] | None,
        directory: str | None,
    ) -> None:
        self._name = arguments[0]
        self.feeds: dict[int, _Feed] = {}
        self.drains: dict[int, _Drain] = {}
        self.pidfd: int | None = None
        self.code: int | None = None
        self._output: list[_Drain] = []
        theirs: list[int] = []
        try:
            for number in range(3):
                reads, writes = os.pipe()
                if number < len(inputs):
                    theirs.append(reads)
                    self.feeds[writes] = _Feed(writes, inputs[number])
                else:
                    theirs.append(writes)
                    self.drains[reads] = _Drain(reads, limit)
            self._output = list(self.drains.values())
            self._child = _popen(arguments, theirs, environment, directory)
        except BaseException:
            self.close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        with suppress(AttributeError, OSError):  # Linux only; or the kernel reaps for us
            self.pidfd = os.pidfd_open(self._child.pid)

    def ready(self, descriptor: int) -> bool:
        """Write or read what can be, without waiting; false when the pipe is to be dropped.

        What the input raises is raised.
        """
        feed = self.feeds.get(descriptor)
        if feed is not None:
            return feed.write()
        try:
            return self.drains[descriptor].read()
        except BlockingIOError:
            return True

    def drop(self, descriptor: int) -> None:
        """Close our end of a pipe: the program reads the end of its input."""
        self.feeds.pop(descriptor, None)
        self.drains.pop(descriptor, None)
        os.close(descriptor)

    def ended(self) -> bool:
        """Tell whether the program has ended, and reap it then.

        Raises:
            ProcessError: somebody else did.
        """
        if self.code is None:
            try:
                pid, status = os.waitpid(self._child.pid, os.WNOHANG)
            except ChildProcessError as error:
                self._child.returncode = self.code = -1
                text = f"{self._name}: exit code lost; SIGCHLD must not be ignored or waited for"
                raise ProcessError(text) from error
            if not pid:
                return False
            self._child.returncode = self.code = os.waitstatus_to_exitcode(status)
        return True

    def kill(self) -> None:
        """Kill the program and all it has started in its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def disown(self) -> None:
        """Wait no longer; the program was killed and the kernel has yet to notice."""
        self._child.returncode = self.code = -int(signal.SIGKILL)
        _disowned.append(self._child.pid)

    def finished(self, *, timed_out: bool) -> Finished:
        """Say what became of it, with what is still in its pipes."""
        for drain in self.drains.values():
            with suppress(BlockingIOError):
                for _ in range(_REST):
                    if not drain.read():
                        break
        assert self.code is not None  # noqa: S101 - called when it has ended
        kept = [bytes(drain.kept) for drain in self._output]
        cut = any(drain.truncated for drain in self._output)
        output = kept[0] if len(kept) == 2 else b""
        return Finished(self.code, output, kept[-1], cut, timed_out)

    def close(self) -> None:
        """Close our ends of the pipes."""
        for descriptor in (*self.feeds, *self.drains):
            os.close(descriptor)
        self.feeds.clear()
        self.drains.clear()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


def _popen(
    arguments: Sequence[str],
    descriptors: Sequence[int],
    environment: Mapping[str, str] | None,
    directory: str | None,
) -> "Popen[bytes]":
    import subprocess  # noqa: PLC0415 - 10 ms for those who never start a program

    try:
        return subprocess.Popen(
            arguments,
            stdin=descriptors[0],
            stdout=descriptors[1],
            stderr=descriptors[2],
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ProcessError(f"{arguments[0]} cannot be started: {error}") from error


def start(
    arguments: Sequence[str],
    message: bytes | Iterable[bytes],
    envelope: bytes | None,
    limit: int,
    environment: Mapping[str, str] | None,
    directory: str | None,
) -> Program:
    """Start a program; see ``Process.run``.

    Raises:
        ProcessError: it could not be started.
    """
    if isinstance(arguments, str | bytes) or not arguments:
        raise TypeError("a program is a list of arguments")
    for pid in list(_disowned):
        with suppress(ChildProcessError):
            if not os.waitpid(pid, os.WNOHANG)[0]:
                continue
        _disowned.remove(pid)
    inputs = [message] if envelope is None else [message, envelope]
    return Program(list(arguments), inputs, limit, environment, directory)
