"""declines_async - declines everything, in coroutines.

See ``declines``, its plain sibling.
"""

from qpsmtpd.plugin import DECLINED, Address, Connection, Parameters, Plugin, Result, Transaction


class DeclinesAsync(Plugin):
    """Asks the least a coroutine can ask of the engine: a call and a step."""

    eager = True

    async def hook_connect(self, connection: Connection) -> Result:
        """Decline."""
        return DECLINED

    async def hook_ehlo(self, connection: Connection, host: str) -> Result:
        """Decline."""
        return DECLINED

    async def hook_mail(
        self, transaction: Transaction, sender: Address, params: Parameters
    ) -> Result:
        """Decline."""
        return DECLINED

    async def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Result:
        """Decline."""
        return DECLINED

    async def hook_data(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED

    async def hook_data_post_headers(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED

    async def hook_data_post(self, transaction: Transaction) -> Result:
        """Decline."""
        return DECLINED
