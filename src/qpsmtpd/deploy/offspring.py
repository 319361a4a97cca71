"""A generation, as the arbiter sees it."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any

from qpsmtpd.deploy.channel import Channel

if TYPE_CHECKING:
    from qpsmtpd.deploy.options import Options
    from qpsmtpd.deploy.privileges import Identity
    from qpsmtpd.deploy.scoreboard import Scoreboard
    from qpsmtpd.deploy.sources import Listener

__all__ = ["Offspring", "Stage"]

_HANDLED = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCHLD,
)


class Stage(Enum):
    """What a generation is doing."""

    BOOTING = "booting"  #: loads plugins
    SERVING = "serving"  #: takes clients
    ENDING = "ending"  #: finishes its sessions


class Offspring:
    """One generation, started by us."""

    __slots__ = (
        "channel",
        "kill_at",
        "number",
        "pid",
        "reason",
        "rows",
        "stage",
        "started",
        "workers",
    )

    def __init__(self, number: int, rows: range, channel: Channel, pid: int) -> None:
        self.number = number
        self.rows = rows
        self.channel = channel
        self.pid = pid
        self.stage = Stage.BOOTING
        self.started = time.monotonic()
        self.kill_at: float | None = None
        self.reason = ""  #: why it could not start
        self.workers: list[int] = []

    @classmethod
    def start(
        cls,
        number: int,
        rows: range,
        options: "Options",
        identity: "Identity",
        board: "Scoreboard",
        listeners: "Sequence[Listener]",
    ) -> "Offspring":
        """Start a fresh interpreter and tell it what to do.

        Args:
            number: counts generations from 1.
            rows: its part of the scoreboard.
            options: what to do.
            identity: whom it becomes.
            board: handed on.
            listeners: handed on.

        Raises:
            OSError: no process could be started.
        """
        channel, theirs = Channel.pair()
        passed = [theirs.fileno(), board.fd, *(listener.socket.fileno() for listener in listeners)]
        for fd in passed:
            os.set_inheritable(fd, True)  # noqa: FBT003 - takes no keyword
        try:
            pid = _spawn([str(theirs.fileno())])
        except OSError:
            channel.close()
            raise
        finally:
            for fd in passed:
                os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
            theirs.close()
        channel.send(
            do="start",
            generation=number,
            options=options.encode(),
            identity=identity,
            scoreboard=board.fd,
            rows=[rows.start, rows.stop],
            workers=options.worker_count,
            listeners=[
                [listener.socket.fileno(), listener.address, listener.options, listener.name]
                for listener in listeners
            ],
        )
        return cls(number, rows, channel, pid)

    def tell(self, **message: Any) -> None:
        """Send it a message; one that is gone will be found so by its owner."""
        self.channel.send(**message)

    def kill(self) -> None:
        """End it, at once; its workers see that and finish."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _spawn(arguments: Sequence[str]) -> int:
    # -P: no module is ever taken from the working directory, which may be anybody's. A process
    # group of its own: a terminal's Ctrl-C is for the arbiter, which passes on what it means.
    module = ["-P", "-m", "qpsmtpd.deploy.generation"]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, *module, *arguments],
        os.environ,
        setpgroup=0,
        setsigmask=(),
        setsigdef=_HANDLED,
    )
