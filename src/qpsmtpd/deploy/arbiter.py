"""The owner of a daemon: listening sockets, pid file, signals, generations.

Rule: it imports no plugin, no engine and no event loop, and touches no client. So it survives any
of them, may stay root, and keeps the sockets open, in which clients wait, whatever happens below.

HUP: a new generation, and the old one ends when the new one serves · TERM: end gracefully ·
INT, QUIT: end now · USR1: logs were rotated · TTIN, TTOU: one worker more, one fewer · CHLD: reap.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from qpsmtpd.constants import LOGCRIT, LOGERROR, LOGINFO, LOGNOTICE, LOGWARN
from qpsmtpd.deploy.backoff import Backoff
from qpsmtpd.deploy.blocks import Blocks
from qpsmtpd.deploy.exits import Exit
from qpsmtpd.deploy.models import find
from qpsmtpd.deploy.notify import Notifier
from qpsmtpd.deploy.offspring import Offspring, Stage
from qpsmtpd.deploy.options import MAX_GENERATIONS, Options
from qpsmtpd.deploy.pidfile import PidFile
from qpsmtpd.deploy.privileges import lookup
from qpsmtpd.deploy.scoreboard import Scoreboard
from qpsmtpd.deploy.signals import SignalQueue
from qpsmtpd.deploy.sources import Listener, adopt, default_address, open_listeners, parse
from qpsmtpd.errors import ConfigError
from qpsmtpd.logger import Logger

__all__ = ["Arbiter"]

#: seconds a generation may take beyond what its workers may
MARGIN: Final = 10.0
_TICK: Final = 1.0


class Arbiter:
    """One daemon."""

    def __init__(
        self,
        options: Options,
        logger: Logger,
        reload: Callable[[], Options] | None = None,
    ) -> None:
        """Prepare a daemon; nothing is opened yet.

        Args:
            options: what to do.
            logger: where to write.
            reload: reads the options again at HUP, may raise ConfigError; None: they stay.
        """
        self.options = options
        self.logger = logger
        self.reload = reload
        self.pid_file = PidFile(options.pid_file) if options.pid_file else None
        self.notifier = Notifier()
        self.listeners: list[Listener] = []
        self.generations: dict[int, Offspring] = {}
        self.count = 0
        self.backoff = Backoff()
        self.spawn_at: float | None = None  #: when the next generation is due
        self.served = False  #: a generation was ready once
        self.stopping = False
        self.code: int = Exit.OK
        self.signs_at = 0.0  #: when systemd wants the next sign of life

    def open(self) -> None:
        """Open all that may need root, and find out what could go wrong later.

        Raises:
            ConfigError: something cannot be opened; the text says what to do.
        """
        options = self.options
        find(options.model)
        self.identity = lookup(options.user, options.group)
        passed = adopt()
        addresses = options.listen or (("systemd",) if passed else (default_address(),))
        specs = [parse(text, options.port) for text in addresses]
        self.listeners = open_listeners(specs, options.backlog, passed)
        for listener in passed:
            if listener not in self.listeners:
                listener.close()
        try:
            if self.pid_file is not None:
                self.pid_file.claim()
            self.board = Scoreboard.create(MAX_GENERATIONS * options.worker_limit)
        except ConfigError:
            self.close_listeners()
            if self.pid_file is not None:
                self.pid_file.remove()
            raise
        self.blocks = Blocks(self.board, MAX_GENERATIONS)

    def run(self, started: Callable[[], None] | None = None) -> int:
        """Serve until told to end; ``open`` has been called, in this process or its parent.

        Args:
            started: called once, when the first generation serves.

        Returns:
            An exit code, see ``exits``.
        """
        self.started = started
        self.signals = SignalQueue(
            {
                signal.SIGHUP: self.handle_hup,
                signal.SIGTERM: self.handle_term,
                signal.SIGINT: self.handle_int,
                signal.SIGQUIT: self.handle_int,
                signal.SIGUSR1: self.handle_usr1,
                signal.SIGTTIN: self.handle_ttin,
                signal.SIGTTOU: self.handle_ttou,
                signal.SIGCHLD: self.handle_chld,
            }
        )
        try:
            if self.pid_file is not None:
                self.pid_file.write()
            for listener in self.listeners:
                self.logger.log(LOGNOTICE, f"Listening on {listener.address}")
            who = f"user {self.identity.user}, group {self.identity.group}"
            self.logger.log(LOGNOTICE, f"Running as {who}")
            self.spawn_at = time.monotonic()
            while not self.stopping or self.generations:
                self.spawn_if_due()
                self.signals.wait(self.pause())
                self.look()
        finally:
            self.close()
        return self.code

    def pause(self) -> float:
        """Seconds to sleep if nothing happens."""
        until = [_TICK]
        now = time.monotonic()
        if self.spawn_at is not None:
            until.append(self.spawn_at - now)
        if self.notifier.watchdog is not None:
            until.append(self.signs_at - now)
        return min(until)

    def close(self) -> None:
        """Give everything back."""
        self.close_listeners()
        if self.pid_file is not None:
            self.pid_file.remove()
        self.board.close()
        self.signals.close()

    def close_listeners(self) -> None:
        """Close the sockets; with the workers' copies gone, the kernel refuses clients."""
        for listener in self.listeners:
            listener.close()
        self.listeners = []

    # Generations

    def spawn_if_due(self) -> None:
        """Start a generation if one is to be started and there is room for it."""
        if self.spawn_at is None or self.stopping or time.monotonic() < self.spawn_at:
            return
        rows = self.blocks.take()
        if rows is None:
            self.make_room()
            return
        self.spawn_at = None
        self.count += 1
        try:
            started = Offspring.start(
                self.count, rows, self.options, self.identity, self.board, self.listeners
            )
        except OSError as error:
            self.logger.log(LOGERROR, f"cannot start a process: {error.strerror}")
            self.blocks.leave(rows)
            self.spawn_at = time.monotonic() + self.backoff.after(0)
            return
        self.generations[started.pid] = started
        self.signals.watch(started.channel, lambda: self.listen(started))

    def make_room(self) -> None:
        """Have the oldest generation that still ends say goodbye to its clients."""
        ending = [old for old in self.generations.values() if old.stage is Stage.ENDING]
        if ending and ending[0].kill_at is None:
            self.logger.log(
                LOGWARN,
                f"{len(ending)} older generations still have sessions; those of generation "
                f"{ending[0].number} end at their next command",
            )
            self.retire(ending[0], 0.0)

    def listen(self, child: Offspring) -> None:
        """Hear what a generation has to say."""
        messages = child.channel.receive()
        if messages is None:
            self.signals.forget(child.channel)  # it ends; the rest is for SIGCHLD
        for message in messages or ():
            match message.get("event"):
                case "ready":
                    child.workers = message["workers"]
                    self.take_over(child)
                case "workers":
                    child.workers = message["workers"]
                case "failed":
                    child.reason = message["text"]

    def take_over(self, child: Offspring) -> None:
        """Let a generation that is ready be the one that serves."""
        if child.stage is not Stage.BOOTING:
            return
        child.stage = Stage.SERVING
        for old in self.generations.values():
            if old is not child and old.stage is Stage.SERVING:
                self.retire(old, None)
        text = f"generation {child.number} serves with {len(child.workers)} workers"
        self.logger.log(LOGNOTICE, text)
        self.notifier.ready(text)
        if not self.served and self.started is not None:
            self.started()
        self.served = True

    def retire(self, child: Offspring, grace: float | None, *, final: bool = False) -> None:
        """Have a generation finish its sessions.

        Args:
            child: the generation.
            grace: seconds until they are asked to end; None: when they like.
            final: nobody takes its place.
        """
        child.stage = Stage.ENDING
        child.tell(do="drain", grace=grace, final=final)
        if grace is not None:
            patience = grace + self.options.finish_timeout + MARGIN
            child.kill_at = time.monotonic() + patience

    def bury(self, child: Offspring, code: int) -> None:
        """Decide what the end of a generation means."""
        self.listen(child)
        self.signals.forget(child.channel)
        child.channel.close()
        self.blocks.leave(child.rows)
        if self.stopping or child.stage is Stage.ENDING:
            return
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        reason = child.reason or how
        serving = [old for old in self.generations.values() if old.stage is Stage.SERVING]
        if serving:
            text = f"reload failed, generation {serving[0].number} serves on: {reason}"
            self.logger.log(LOGERROR, text)
            self.notifier.ready(text)
        elif self.served and code not in {Exit.BOOT_ERROR, Exit.CONFIG_ERROR}:
            delay = self.backoff.after(time.monotonic() - child.started)
            text = f"generation {child.number} died ({reason}); another starts in {delay:g} s"
            self.logger.log(LOGCRIT, text)
            stages = {other.stage for other in self.generations.values()}
            if Stage.BOOTING not in stages:  # else that one takes over when it is ready
                self.spawn_at = time.monotonic() + delay
        else:
            self.give_up(reason, code)

    def give_up(self, reason: str, code: int) -> None:
        """End, since another attempt would fail like this one."""
        self.logger.log(LOGCRIT, f"cannot start: {reason}")
        self.code = Exit.CONFIG_ERROR if code == Exit.CONFIG_ERROR else Exit.BOOT_ERROR
        self.end(self.options.graceful_timeout)

    def look(self) -> None:
        """Do what time brings: rows to free, processes to kill, signs of life."""
        now = time.monotonic()
        self.blocks.tidy()
        for child in self.generations.values():
            booting = child.stage is Stage.BOOTING
            if booting and now - child.started > self.options.boot_timeout:
                child.reason = f"plugins did not load within {self.options.boot_timeout:g} s"
                child.kill()
            elif child.kill_at is not None and now > child.kill_at:
                self.logger.log(LOGERROR, f"generation {child.number} did not end; it is killed")
                child.kill_at = None
                child.kill()
                for pid in child.workers:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
        if self.notifier.watchdog is not None and now >= self.signs_at:
            self.notifier.send("WATCHDOG=1")
            self.signs_at = now + self.notifier.watchdog

    # Signals

    def handle_hup(self) -> None:
        """Start a new generation with the configuration as it is now."""
        if self.stopping:
            return
        self.notifier.reloading()
        try:
            options = self.options if self.reload is None else self.reload()
            self.change(options)
        except ConfigError as error:
            text = f"reload failed, nothing changes: {error}"
            self.logger.log(LOGERROR, text)
            self.notifier.ready(text)
            return
        self.logger.log(LOGNOTICE, "reloading: a new generation starts")
        for child in self.generations.values():
            if child.stage is Stage.BOOTING:  # it may have read what was there before
                self.retire(child, 0.0)
                child.kill()
        self.spawn_at = time.monotonic()

    def change(self, options: Options) -> None:
        """Take new options, as far as they can change while the daemon runs.

        Raises:
            ConfigError: they cannot be used; the old ones stay.
        """
        find(options.model)
        identity = lookup(options.user, options.group)
        if options.listen != self.options.listen or options.port != self.options.port:
            self.logger.log(LOGWARN, "other listening addresses need a restart")
        self.identity = identity
        self.options = options._replace(
            listen=self.options.listen, workers=min(options.worker_count, self.blocks.width)
        )

    def handle_term(self) -> None:
        """End gracefully."""
        self.logger.log(LOGNOTICE, "ending: sessions are finished, no client is taken")
        self.end(self.options.graceful_timeout)

    def handle_int(self) -> None:
        """End now."""
        self.logger.log(LOGNOTICE, "ending now")
        self.end(None)

    def end(self, grace: float | None) -> None:
        """End all generations; *grace* None: at once."""
        self.stopping = True
        self.spawn_at = None
        self.notifier.stopping()
        self.close_listeners()
        for child in self.generations.values():
            if grace is None:
                if child.stage is Stage.BOOTING:
                    child.kill()
                child.stage = Stage.ENDING
                child.tell(do="stop")
                child.kill_at = time.monotonic() + MARGIN
            else:
                self.retire(child, grace, final=True)

    def handle_usr1(self) -> None:
        """Pass on that logs were rotated."""
        for child in self.generations.values():
            child.tell(do="reopen")

    def handle_ttin(self) -> None:
        """One worker more."""
        self.resize(1)

    def handle_ttou(self) -> None:
        """One worker fewer."""
        self.resize(-1)

    def resize(self, by: int) -> None:
        """Change the number of workers, within what the scoreboard has rows for."""
        wanted = min(max(1, self.options.worker_count + by), self.blocks.width)
        self.options = self.options._replace(workers=wanted)
        for child in self.generations.values():
            if child.stage is not Stage.ENDING:
                child.tell(do="workers", count=wanted)

    def handle_chld(self) -> None:
        """Account for processes that ended; as process 1 of a container, for anybody's."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.generations.pop(pid, None)
            if child is not None:
                self.bury(child, os.waitstatus_to_exitcode(status))
            else:
                self.logger.log(LOGINFO, f"cleaning up after {pid}")
