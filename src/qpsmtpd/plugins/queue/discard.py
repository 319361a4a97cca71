"""queue/discard - take every message and throw it away

DESCRIPTION

For tests, load measurements and traps: clients are told that their message was queued, and
nothing is kept of it. As a queue plugin that always takes the message it makes those below it
useless.

RESULTS

queue: OK `Queued!`.

NOTES

Sets `queued_to` of the transaction to an empty list: the message is nowhere.

SEE ALSO

queue/maildir
"""

from qpsmtpd.plugin import LOGINFO, OK, Plugin, Result, Transaction


class Discard(Plugin):
    """Takes messages and keeps nothing."""

    def hook_queue(self, transaction: Transaction) -> tuple[Result, str]:
        """Say yes."""
        transaction.notes["queued_to"] = []
        self.log(LOGINFO, "pass, discarded", transaction)
        return OK, "Queued!"
