"""A generation: a fresh interpreter that loads the plugins once and forks the workers.

Started by the arbiter as ``python -P -m qpsmtpd.deploy.generation FD``, where FD is its end of a
control channel. The first message says what to do; the answers are ``ready``, ``failed`` with a
text, ``workers`` and ``bye``. A reload, and an upgrade, is another generation.

Rule: privileges are gone before the engine is imported; workers are forked before any loop runs.
"""

import gc
import os
import resource
import signal
import socket
import sys
import time
import traceback
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, cast

from qpsmtpd.constants import LOGCRIT, LOGERROR, LOGINFO, LOGNOTICE, LOGWARN
from qpsmtpd.deploy.backoff import Backoff
from qpsmtpd.deploy.channel import Channel
from qpsmtpd.deploy.detach import silence
from qpsmtpd.deploy.exits import Exit
from qpsmtpd.deploy.models import Serve, find, load
from qpsmtpd.deploy.options import Options
from qpsmtpd.deploy.privileges import Identity, assume
from qpsmtpd.deploy.scoreboard import Scoreboard
from qpsmtpd.deploy.signals import SignalQueue
from qpsmtpd.deploy.sources import Listener
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.deploy.contract import Engine

__all__ = ["Generation", "main"]

#: seconds between SIGABRT, which shows where a worker is stuck, and SIGKILL
ABORT_GRACE: Final = 2.0
#: seconds a worker may take beyond what it was given to end
MARGIN: Final = 5.0
_TICK: Final = 1.0


class _Child:
    """A worker, as its generation sees it."""

    __slots__ = ("aborted", "channel", "kill_at", "pid", "ready", "row", "started")

    def __init__(self, pid: int, row: int, channel: Channel) -> None:
        self.pid = pid
        self.row = row
        self.channel = channel
        self.started = time.monotonic()
        self.ready = False
        self.aborted = False
        self.kill_at: float | None = None


class Generation:
    """Owner of the workers that serve one configuration."""

    def __init__(self, channel: Channel, start: dict[str, Any]) -> None:
        """Take what the arbiter handed on.

        Args:
            channel: to the arbiter.
            start: its first message.
        """
        self.channel = channel
        self.number: int = start["generation"]
        self.options = Options.decode(start["options"])
        self.identity = Identity(*start["identity"])
        self.board = Scoreboard(start["scoreboard"])
        self.free = list(range(start["rows"][0], start["rows"][1]))[::-1]
        self.listeners = [
            Listener(socket.socket(fileno=fd), address, options, name)
            for fd, address, options, name in start["listeners"]
        ]
        self.wanted: int = start["workers"]
        self.children: dict[int, _Child] = {}
        self.backoff = Backoff()
        self.start_at = 0.0  #: when a missing worker may be started
        self.announced = False
        self.ending: dict[str, Any] | None = None  #: what workers were told, once it is the end
        self.code = Exit.OK
        self.looked = time.monotonic()

    def boot(self) -> None:
        """Become the user, load configuration and plugins.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        assume(self.identity)
        self.serve = cast("Serve", load(find(self.options.model).serve))
        make = load(self.options.engine)
        self.engine: Engine = make(
            {
                **self.options.engine_options,
                "listeners": [listener.described for listener in self.listeners],
                "generation": self.number,
            }
        )
        if self.options.detach:
            silence()  # what goes wrong from here on is for the log
        # What exists now stays for the life of the workers: out of the collector's way, so that
        # it neither walks these objects again nor unshares their pages.
        gc.collect()
        gc.freeze()

    def run(self) -> int:
        """Own the workers until none is left.

        Returns:
            An exit code, see ``exits``.
        """
        self.signals = SignalQueue(
            {
                signal.SIGCHLD: self.reap,
                signal.SIGTERM: self.drain_now,
                signal.SIGINT: self.stop_now,
                signal.SIGQUIT: self.stop_now,
                signal.SIGUSR1: self.reopen,
            }
        )
        self.signals.watch(self.channel, self.obey)
        while self.ending is None or self.children:
            self.fill()
            self.signals.wait(_TICK)
            self.look()
        self.channel.send(event="bye")
        return self.code

    def log(self, level: int, text: str) -> None:
        """Write a line of the generation's own."""
        self.engine.logger.log(level, text)

    # Workers

    def fill(self) -> None:
        """Start the workers that are missing, or end one too many."""
        now = time.monotonic()
        serving = [child for child in self.children.values() if child.kill_at is None]
        while self.ending is None and len(serving) < self.wanted and now >= self.start_at:
            if not self.free:
                return
            serving.append(self.spawn())
        if self.ending is None:
            for child in serving[self.wanted :]:
                child.channel.send(do="drain", grace=None)
                child.kill_at = float("inf")  # it ends with its last session

    def spawn(self) -> _Child:
        """Fork a worker."""
        row = self.free.pop()
        channel, theirs = Channel.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            channel.close()  # or the worker would not see the generation end
            self.become_worker(row, Channel(theirs))
        theirs.close()
        self.board.set("pid", row, pid)
        self.board.set("heartbeat", row, time.monotonic_ns() // 1_000_000)
        child = self.children[pid] = _Child(pid, row, channel)
        self.signals.watch(channel, lambda: self.listen(child))
        return child

    def become_worker(self, row: int, channel: Channel) -> None:
        """Serve, in the child; never returns."""
        code: int = Exit.FAILED
        try:
            self.signals.close()
            self.channel.close()  # so that the arbiter sees the generation end
            for child in self.children.values():
                child.channel.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = self.serve(
                self.engine, self.listeners, self.board.row(row), channel, self.options
            )
        except ConfigError as error:
            channel.send(event="failed", text=str(error))
            code = Exit.CONFIG_ERROR
        except BaseException as error:  # noqa: BLE001 - whatever it was, it ends this process
            channel.send(event="failed", text=f"{type(error).__name__}: {error}")
            self.log(LOGCRIT, f"worker {os.getpid()} failed: {traceback.format_exc()}")
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def listen(self, child: _Child) -> None:
        """Hear what a worker has to say."""
        messages = child.channel.receive()
        if messages is None:
            self.signals.forget(child.channel)  # it ends; the rest is for SIGCHLD
        for message in messages or ():
            if message.get("event") == "ready":
                child.ready = True
                if not self.announced and all(other.ready for other in self.children.values()):
                    self.announced = True
                    self.channel.send(event="ready", workers=list(self.children))
                elif self.announced:
                    self.channel.send(event="workers", workers=list(self.children))
            elif message.get("event") == "failed" and not self.announced:
                self.channel.send(event="failed", text=message.get("text", ""))

    def reap(self) -> None:
        """Account for workers that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:  # plugins may have children too
                self.bury(child, os.waitstatus_to_exitcode(status))

    def bury(self, child: _Child, code: int) -> None:
        """Free what a worker had, and decide about the next."""
        self.listen(child)
        self.signals.forget(child.channel)
        child.channel.close()
        self.board.clear(child.row)
        self.free.append(child.row)
        if self.ending is not None or child.kill_at == float("inf"):
            return
        now = time.monotonic()
        if not self.announced and code in {Exit.BOOT_ERROR, Exit.CONFIG_ERROR, Exit.FAILED}:
            self.code = Exit.CONFIG_ERROR if code == Exit.CONFIG_ERROR else Exit.BOOT_ERROR
            self.end({"do": "stop"}, MARGIN)
            return
        delay = self.backoff.after(now - child.started)
        self.start_at = now + delay
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        self.log(LOGERROR, f"worker {child.pid} died ({how}); another starts in {delay:g} s")

    def look(self) -> None:
        """Find workers that are stuck, or take too long to end."""
        now = time.monotonic()
        gap, self.looked = now - self.looked, now
        paused = gap > max(2 * _TICK, self.options.worker_timeout / 2)
        for child in list(self.children.values()):
            silent = now - self.board.get("heartbeat", child.row) / 1000
            if child.kill_at is not None and now >= child.kill_at:
                self.kill(child, signal.SIGKILL)
            elif paused or child.aborted:
                continue  # if this process was stopped, so were they: wait for a new heartbeat
            elif silent > self.options.worker_timeout:
                self.log(
                    LOGCRIT,
                    f"worker {child.pid} is stuck: no sign of life for {silent:.0f} s; it is "
                    "killed. A handler that computes or waits that long belongs marked @blocking",
                )
                child.aborted = True
                child.kill_at = now + ABORT_GRACE
                self.kill(child, signal.SIGABRT)
                self.kill(child, signal.SIGCONT)

    def kill(self, child: _Child, number: int) -> None:
        """Send a signal to a worker that may be gone."""
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)

    # What the arbiter says

    def obey(self) -> None:
        """Do what the arbiter asks for; finish what is in hand if it is gone."""
        messages = self.channel.receive()
        if messages is None:
            self.signals.forget(self.channel)
            self.log(LOGWARN, "the arbiter is gone; sessions are finished")
            self.drain_now()
            return
        for message in messages:
            match message.get("do"):
                case "drain":
                    self.drain(message.get("grace"), final=bool(message.get("final")))
                case "stop":
                    self.stop_now()
                case "workers":
                    self.wanted = int(message["count"])
                    self.log(LOGNOTICE, f"{self.wanted} workers")
                case "reopen":
                    self.reopen()

    def drain(self, grace: float | None, *, final: bool) -> None:
        """Take no more clients; end when the last session has."""
        self.log(LOGINFO, f"generation {self.number} takes no more clients")
        patience = None if grace is None else grace + self.options.finish_timeout + MARGIN
        self.end({"do": "drain", "grace": grace, "final": final}, patience)

    def drain_now(self) -> None:
        """End as the arbiter does after TERM."""
        self.drain(self.options.graceful_timeout, final=True)

    def stop_now(self) -> None:
        """End at once."""
        self.end({"do": "stop"}, MARGIN)

    def end(self, message: dict[str, Any], patience: float | None) -> None:
        """Tell all workers to end, and kill those that do not."""
        self.ending = message
        for listener in self.listeners:
            listener.socket.close()
        for child in self.children.values():
            child.channel.send(**message)
            if patience is not None:
                child.kill_at = time.monotonic() + patience

    def reopen(self) -> None:
        """Pass on that logs were rotated."""
        self.engine.reopen()
        for child in self.children.values():
            child.channel.send(do="reopen")


def main(arguments: list[str]) -> int:
    """Run a generation for the arbiter.

    Args:
        arguments: the descriptor of the control channel.
    """
    end = socket.socket(fileno=int(arguments[0]))
    os.set_inheritable(end.fileno(), False)  # noqa: FBT003 - takes no keyword
    channel = Channel(end)
    with closing(channel):
        end.settimeout(None)
        while True:
            end.recv(1, socket.MSG_PEEK)  # until something is there
            messages = channel.receive()
            if messages is None:
                return Exit.BOOT_ERROR
            if messages:
                break
        end.settimeout(0)
        return _serve(channel, messages[0])


def _serve(channel: Channel, start: dict[str, Any]) -> int:
    try:
        generation = Generation(channel, start)
        generation.boot()
    except ConfigError as error:
        channel.send(event="failed", text=str(error))
        return Exit.CONFIG_ERROR
    except Exception as error:  # noqa: BLE001 - plugins may raise anything
        traceback.print_exc()
        channel.send(event="failed", text=f"{type(error).__name__}: {error}")
        return Exit.BOOT_ERROR
    return generation.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
