"""logging/apache - write log lines to Apache's error log

DESCRIPTION

For servers that run inside Apache, with mod_python. An event gets the level of the same number in
Apache. How much is written is decided by Apache's `LogLevel` and by the argument. Outside Apache
the plugin refuses to load.

RESULTS

logging: always DECLINED.

SEE ALSO

logging/warn
"""

from importlib import import_module

from qpsmtpd.plugin import LOGDEBUG, ConfigError, LogEvent, LogLevel, Plugin


class Apache(Plugin):
    """Writes to Apache's log."""

    args: "Apache.Args"

    class Args:
        positional = ("loglevel",)
        loglevel: LogLevel = LOGDEBUG  #: least urgent level to write

    def register(self) -> None:
        """Find Apache.

        Raises:
            ConfigError: this process is not Apache's.
        """
        try:
            self.apache = import_module("mod_python.apache")
        except ImportError as error:
            raise ConfigError(
                "logging/apache works only inside Apache with mod_python; use logging/warn or "
                f"logging/syslog here ({error})"
            ) from error
        self.log_level_wanted = self.args.loglevel

    def hook_logging(self, event: LogEvent) -> None:
        """Write one line."""
        if event.level <= self.args.loglevel:
            self.apache.log_error(event.line, event.level)
