"""everyone - takes every recipient."""

from qpsmtpd.plugin import OK, Address, Parameters, Plugin, Result, Transaction


class Everyone(Plugin):
    """An open door, for loopback only."""

    def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Result:
        """Take the recipient."""
        return OK
