"""loadcheck - put clients off while this host is busy

DESCRIPTION

Compares the load average of the last minute with `max_load` when a client connects. The value is
read at most once in `cache_time`.

RESULTS

connect: DENYSOFT `Server load too high, please try again later.`; DECLINED below the limit, and
when the load cannot be read, which is logged.
"""

import os

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    LOGERROR,
    LOGINFO,
    Answer,
    Connection,
    Duration,
    Plugin,
)


class _Reading:
    """The load average as last read."""

    __slots__ = ("load", "until")

    def __init__(self) -> None:
        self.load = 0.0
        self.until = float("-inf")  #: monotonic seconds


class Loadcheck(Plugin):
    """Refuses connections above a load average."""

    args: "Loadcheck.Args"

    class Args:
        max_load: float = 7.0  #: load average of one minute that is still fine
        cache_time: Duration = Duration("10s")  #: how long a reading is used
        uptime: str = ""  #: not needed any more, taken for the sake of old configurations

    def register(self) -> None:
        """Set up the reading."""
        self.reading = _Reading()

    def hook_connect(self, connection: Connection) -> Answer:
        """Compare."""
        reading = self.reading
        now = self.clock.monotonic()
        if now >= reading.until:
            try:
                reading.load = os.getloadavg()[0]
            except OSError as error:
                self.log(LOGERROR, f"error, no load average: {error}", connection)
                return DECLINED
            reading.until = now + self.args.cache_time
        if reading.load <= self.args.max_load:
            return DECLINED
        self.log(LOGINFO, f"fail, load {reading.load:.2f}", connection)
        return DENYSOFT, "Server load too high, please try again later."
