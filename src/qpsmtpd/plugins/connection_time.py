"""connection_time - log how long each connection lasted

DESCRIPTION

Writes one line when a client has gone: the seconds since it connected, with three decimals. The
line is written at the level of the argument, a name or a number.

Placed first in the list, it counts the time of the other plugins on `connect` too.

RESULTS

pre_connection, connect, post_connection: always DECLINED.

NOTES

Sets and reads `connection_time` of the client and of the connection: seconds of the monotonic
clock.
"""

from typing import Any

from qpsmtpd.plugin import LOGERROR, LOGINFO, Connection, LogLevel, Plugin


class ConnectionTime(Plugin):
    """Measures connections."""

    args: "ConnectionTime.Args"

    class Args:
        positional = ("loglevel",)
        loglevel: LogLevel = LOGINFO  #: level of the line

    def register(self) -> None:
        """Be the first to see a client, and the last."""
        self.register_hook("connect", self.start, first=True)

    def hook_pre_connection(self, client: Any) -> None:
        """Remember when the client came, where clients are seen before they are connections."""
        client.notes.setdefault("connection_time", self.clock.monotonic())

    def start(self, connection: Connection) -> None:
        """Remember when the client came."""
        connection.notes.setdefault("connection_time", self.clock.monotonic())

    def hook_post_connection(self, connection: Connection) -> None:
        """Log how long it stayed."""
        started = connection.notes.get("connection_time")
        if started is None:
            self.log(LOGERROR, "Start time not set?!", connection)
            return
        self.log(self.args.loglevel, f"{self.clock.monotonic() - started:.3f} s.", connection)
