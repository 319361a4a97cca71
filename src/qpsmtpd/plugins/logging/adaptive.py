"""logging/adaptive - log more about messages that were taken

DESCRIPTION

Lines of level `reject` and more urgent ones are written to standard error at once. Those of level
`accept` are kept back, and written behind `prefix` when the transaction ends, provided that no
plugin has refused anything in it. Reading only the lines with the prefix tells the story of the
mail that came in.

At most 500 lines of a connection are kept; of a longer story the end is told.

RESULTS

logging, deny, reset_transaction, post_connection: always DECLINED.

NOTES

Sets and reads `adaptive_denied` of the connection.

SEE ALSO

logging/warn
"""

import sys
from collections import deque

from qpsmtpd.plugin import LOGERROR, LOGWARN, Connection, LogEvent, LogLevel, Plugin, Transaction

_LINES = 500
_CONNECTIONS = 20_000


class Adaptive(Plugin):
    """Keeps lines until it is known how things end."""

    args: "Adaptive.Args"

    class Args:
        accept: LogLevel = LOGERROR  #: least urgent level that is told about accepted mail
        reject: LogLevel = LOGWARN  #: least urgent level that is written at once
        prefix: str = "`"  #: marks the lines about accepted mail

    def register(self) -> None:
        """Say how much is wanted."""
        self.log_level_wanted = max(self.args.accept, self.args.reject)
        self.kept: dict[str, deque[str]] = {}

    def hook_logging(self, event: LogEvent) -> None:
        """Write, keep, or both."""
        if event.level <= self.args.reject:
            sys.stderr.write(event.line + "\n")
            sys.stderr.flush()
        if event.level <= self.args.accept and event.connection_id:
            lines = self.kept.get(event.connection_id)
            if lines is None:
                if len(self.kept) >= _CONNECTIONS:  # ends that were never told to us
                    self.kept.pop(next(iter(self.kept)), None)
                lines = self.kept.setdefault(event.connection_id, deque(maxlen=_LINES))
            lines.append(event.line)

    def hook_deny(self, connection: Connection, plugin: str, result: object, text: str) -> None:
        """Remember that something was refused."""
        connection.notes["adaptive_denied"] = True

    def hook_reset_transaction(self, transaction: Transaction) -> None:
        """Tell the story, if it ended well."""
        connection = transaction.connection
        lines = self.kept.pop(connection.id, ())
        if connection.notes.pop("adaptive_denied", False):
            return
        for line in lines:
            sys.stderr.write(f"{self.args.prefix}{line}\n")
        sys.stderr.flush()

    def hook_post_connection(self, connection: Connection) -> None:
        """Forget the client."""
        self.kept.pop(connection.id, None)
