"""logging/devnull - write nothing

DESCRIPTION

With any logging plugin the built-in log is silent. This one is for those who want no other.

RESULTS

logging: always DECLINED.
"""

from qpsmtpd.plugin import LOGEMERG, LogEvent, Plugin


class Devnull(Plugin):
    """Writes nothing."""

    def register(self) -> None:
        """Want as little as can be wanted, so that texts are not even made."""
        self.log_level_wanted = LOGEMERG

    def hook_logging(self, event: LogEvent) -> None:
        """Let it pass."""
