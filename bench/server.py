"""One server under test: started in a throw-away directory, waited for, stopped for good."""

import ctypes
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self

from bench import measure

__all__ = ["HOST", "Failed", "Launch", "Place", "Server", "adopt", "free_port", "spool_base"]

HOST: Final = "127.0.0.1"

#: seconds a server has to greet its first client
_START: Final = 30.0
#: seconds it has to end after SIGTERM
_STOP: Final = 8.0


#: an option of prctl(2), from linux/prctl.h
_PR_SET_CHILD_SUBREAPER: Final = 36


class Failed(Exception):  # noqa: N818 - reads as what happened to the server
    """A server did not start, did not take mail, or kept it."""


class Place(NamedTuple):
    """Where a server may write and listen."""

    directory: Path
    port: int


class Launch(NamedTuple):
    """How to start a server whose configuration has been written."""

    argv: tuple[str, ...]
    environ: Mapping[str, str] = MappingProxyType({})
    account: str = ""  #: user to start it as; "" for ours
    detaches: bool = False  #: it calls setsid(2) itself, and fails if that was done for it
    #: where the messages pass through, to look for ones that stayed
    spool: Path | None = None


class _Stop(NamedTuple):
    signal: signal.Signals
    seconds: float


def free_port() -> int:
    """Return a TCP port of the loopback address nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def spool_base() -> Path:
    """Where throw-away directories go: memory where there is some, so no disk is measured."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


class Server:
    """A running server; ``with Server(...)`` starts and stops it."""

    def __init__(self, name: str, launch: Launch, place: Place) -> None:
        self.name = name
        self.port = place.port
        self.directory = place.directory
        self.spool = launch.spool or place.directory
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process at the root of the tree.

        Raises:
            Failed: it was never started.
        """
        if self._process is None:
            raise Failed(f"{self.name} is not running")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the server wrote to its standard output and error."""
        return self.directory / "output.log"

    def start(self) -> None:
        """Start the server and wait for its greeting.

        Raises:
            Failed: no greeting came in time; the text ends with the server's last words.
        """
        launch = self._launch
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", **launch.environ},
                user=launch.account or None,
                group=pwd.getpwnam(launch.account).pw_gid if launch.account else None,
                extra_groups=[] if launch.account else None,
                start_new_session=not launch.detaches,
            )
        try:
            self._await_greeting()
        except BaseException:
            self.stop()
            raise

    def _await_greeting(self) -> None:
        limit = time.monotonic() + _START
        while time.monotonic() < limit:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                with socket.create_connection((HOST, self.port), timeout=2) as client:
                    if client.recv(4) == b"220 ":
                        client.sendall(b"QUIT\r\n")
                        client.recv(512)
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise Failed(f"{self.name} does not greet on port {self.port}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of the server's output, on one line."""
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return " | ".join(text.splitlines()[-5:]) or "(no output)"

    def cpu(self) -> float:
        """Processor seconds used so far, once the server has come to rest."""
        return measure.settle(lambda: measure.cpu_seconds(self.pid))

    def memory(self) -> measure.Memory:
        """Memory of the server's processes now."""
        return measure.memory(self.pid)

    def stop(self) -> None:
        """End the server and every process it started."""
        process = self._process
        if process is None:
            return
        known = measure.tree(process.pid, measure.processes())
        for step in (_Stop(signal.SIGTERM, _STOP), _Stop(signal.SIGKILL, _STOP)):
            if process.poll() is None:
                process.send_signal(step.signal)
            try:
                process.wait(step.seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        _end(known)
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.spool != self.directory:
            shutil.rmtree(self.spool, ignore_errors=True)


def adopt() -> None:
    """Become the parent of servers' children whose own parent ends first (prctl(2)).

    Some daemons end without waiting for their children; these are ours to wait for then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _end(known: list[measure.Stat]) -> None:
    """End what is left of a tree, and wait until it has ended."""
    for stat in known:
        try:
            handle = os.pidfd_open(stat.pid)
        except ProcessLookupError:
            continue
        try:
            # the start time tells a reused pid from the process that was known
            now = measure.read_stat(stat.pid)
            if now is not None and now.started == stat.started:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], _STOP)
                os.waitpid(stat.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue  # it was quicker, or its parent waits for it
        finally:
            os.close(handle)
