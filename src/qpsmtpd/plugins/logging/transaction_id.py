"""logging/transaction_id - not to be had any more

DESCRIPTION

In the original this plugin put the id of the transaction in front of log lines, until it
refused to load. It refuses here too: every event has the id, and logging/json writes it.

SEE ALSO

logging/json, logging/file
"""

from qpsmtpd.plugin import ConfigError, Plugin


class TransactionId(Plugin):
    """Refuses to load."""

    def register(self) -> None:
        """Name the remedy.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "logging/transaction_id is not supported; remove the line, and use logging/json, "
            "which writes transaction_id with each event"
        )
