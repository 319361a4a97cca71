"""declines - declines everything, in plain functions.

Four lines of ``plugins`` (this plugin twice, ``declines_async`` twice) put twenty handlers on the
path of every message and eight more on that of every connection.
"""

from qpsmtpd.plugin import DECLINED, Address, Connection, Parameters, Plugin, Result, Transaction


class Declines(Plugin):
    """Asks the least a handler can ask of the engine: a call."""

    def hook_connect(self, connection: Connection) -> Result:
        """Decline."""
        return DECLINED

    def hook_ehlo(self, connection: Connection, host: str) -> Result:
        """Decline."""
        return DECLINED

    def hook_mail(self, transaction: Transaction, sender: Address, params: Parameters) -> Result:
        """Decline."""
        return DECLINED

    def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Result:
        """Decline."""
        return DECLINED

    def hook_data(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED

    def hook_data_post_headers(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED

    def hook_data_post(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED
