"""logging/connection_id - not to be had any more

DESCRIPTION

In the original this plugin put the id of the connection in front of log lines, until it
refused to load. It refuses here too: every event has the id, and logging/json writes it.

SEE ALSO

logging/json, logging/file
"""

from qpsmtpd.plugin import ConfigError, Plugin


class ConnectionId(Plugin):
    """Refuses to load."""

    def register(self) -> None:
        """Name the remedy.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "logging/connection_id is not supported; remove the line, and use logging/json, "
            "which writes connection_id with each event"
        )
