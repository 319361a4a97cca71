# ruff: noqa: D415 - a plugin's docstring is its manual page
# docs: begin port
"""check_sender - refuse senders that are listed

CONTROL FILES

badsenders: addresses, one on each line.

RESULTS

mail: DENY `<sender> is not welcome`; DECLINED otherwise.
"""

from qpsmtpd.plugin import DECLINED, LOGINFO, Plugin


class CheckSender(Plugin):
    """Knows who is not welcome."""

    class Args:
        ignore_case: bool = True  #: compare without regard to case

    def hook_mail(self, transaction, sender, params):
        """Look at the sender."""
        if self.is_immune(transaction) or sender.is_null:
            return DECLINED
        address = sender.address.lower() if self.args.ignore_case else sender.address
        if address not in self.config.lines("badsenders"):
            self.log(LOGINFO, "pass", transaction)
            return DECLINED
        transaction.notes["badsender"] = address
        return self.get_reject(transaction, f"{address} is not welcome")


# docs: end port
