"""random_error - fail at random, to test what comes before this server

DESCRIPTION

Makes about the given percentage of messages fail, at a hook chosen at random, to see how senders
cope. Each of the hooks connect, helo or ehlo, mail, rcpt, data and data_post fails with the sixth
part of that chance. A negative percentage turns the plugin off. Not for servers in use.

RESULTS

connect, helo, ehlo, mail, rcpt, data, data_post: DENYSOFT or, two times in five,
DENYSOFT_DISCONNECT, `random failure`; DECLINED otherwise.

NOTES

Reads `random_fail_%` of the connection: a percentage in place of the argument.
"""

import random

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    Answer,
    Connection,
    Plugin,
    Transaction,
)

_HOOKS = 6


class RandomError(Plugin):
    """Fails."""

    args: "RandomError.Args"

    class Args:
        positional = ("percentage",)
        percentage: float = 1.0  #: messages out of a hundred that fail; negative: none

    def fail(self, connection: Connection) -> Answer:
        """Throw the dice."""
        percentage = connection.notes.get("random_fail_%") or self.args.percentage
        success = max(0.0, 1.0 - percentage / 100)
        if percentage < 0 or random.random() < success ** (1 / _HOOKS):  # noqa: S311 - a test aid
            return DECLINED
        disconnect = random.randrange(5) < 2  # noqa: S311 - a test aid
        return DENYSOFT_DISCONNECT if disconnect else DENYSOFT, "random failure"

    def hook_connect(self, connection: Connection) -> Answer:
        """Fail before the greeting."""
        return self.fail(connection)

    def hook_helo(self, connection: Connection, host: str) -> Answer:
        """Fail at HELO."""
        return self.fail(connection)

    def hook_ehlo(self, connection: Connection, host: str) -> Answer:
        """Fail at EHLO."""
        return self.fail(connection)

    def hook_mail(self, transaction: Transaction, sender: object, params: object) -> Answer:
        """Fail at MAIL."""
        return self.fail(transaction.connection)

    def hook_rcpt(self, transaction: Transaction, recipient: object, params: object) -> Answer:
        """Fail at RCPT."""
        return self.fail(transaction.connection)

    def hook_data(self, transaction: Transaction) -> Answer:
        """Fail at DATA."""
        return self.fail(transaction.connection)

    def hook_data_post(self, transaction: Transaction) -> Answer:
        """Fail after the message."""
        return self.fail(transaction.connection)
