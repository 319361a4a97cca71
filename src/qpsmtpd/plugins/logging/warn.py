"""logging/warn - write log lines to standard error

DESCRIPTION

The lines are those of the built-in log: process id, hook, plugin, text. The argument is the least
urgent level to write, a name or a number.

RESULTS

logging: always DECLINED.

SEE ALSO

logging/file, logging/json, logging/syslog
"""

import sys

from qpsmtpd.plugin import LOGWARN, LogEvent, LogLevel, Plugin


class Warn(Plugin):
    """Writes to standard error."""

    args: "Warn.Args"

    class Args:
        positional = ("loglevel",)
        loglevel: LogLevel = LOGWARN  #: least urgent level to write

    def register(self) -> None:
        """Say how much is wanted."""
        self.log_level_wanted = self.args.loglevel

    def hook_logging(self, event: LogEvent) -> None:
        """Write one line."""
        if event.level <= self.args.loglevel:
            sys.stderr.write(event.line + "\n")
            sys.stderr.flush()
