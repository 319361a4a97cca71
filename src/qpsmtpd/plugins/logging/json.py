"""logging/json - write log events as JSON, one object on each line

DESCRIPTION

    logging/json loglevel LOGINFO /var/log/qpsmtpd/log.json

Every object has `time` (UTC, RFC 3339), `level`, `pid` and `text`; `connection_id`,
`transaction_id`, `remote_ip`, `plugin` and `hook` as far as the event has them; and the further
facts of the event under their own names.

Without a path the lines go to standard error. Path, options and what happens when a file is
renamed are as with logging/file.

RESULTS

logging: always DECLINED.

SEE ALSO

logging/file, logging/warn
"""

import json
import sys
import time
from math import isfinite

from qpsmtpd.plugin import LogEvent
from qpsmtpd.plugins.logging.file import File

_KNOWN = ("pid", "connection_id", "transaction_id", "remote_ip", "plugin", "hook", "text")


class Json(File):
    """Writes JSON."""

    class Args(File.Args):
        path: str = ""  #: where to write; standard error when there is none

    def register(self) -> None:
        """Check the path, if there is one.

        Raises:
            ConfigError: nothing can be written there.
        """
        if self.args.path:
            super().register()
        else:
            self.log_level_wanted = self.args.loglevel

    def hook_logging(self, event: LogEvent) -> None:
        """Write one line."""
        if self.args.path:
            super().hook_logging(event)
        elif event.level <= self.args.loglevel:
            sys.stderr.write(self.line(event) + "\n")
            sys.stderr.flush()

    def line(self, event: LogEvent) -> str:
        """The object for *event*, without newline."""
        fraction = int(event.time % 1 * 1_000_000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.time))
        shown: dict[str, object] = {"time": f"{stamp}.{fraction:06d}Z", "level": event.level_name}
        for name in _KNOWN:
            value = getattr(event, name)
            if value != "":
                shown[name] = value
        for name, value in event.fields.items():
            plain = value is None or isinstance(value, (bool, int, str))
            plain = plain or (isinstance(value, float) and isfinite(value))
            shown.setdefault(name, value if plain else str(value))
        return json.dumps(shown)
