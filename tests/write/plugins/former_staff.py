# ruff: noqa: D415 - a plugin's docstring is its manual page
# docs: begin first
"""former_staff - tell senders that somebody has left

DESCRIPTION

Refuses recipients whose local part is listed, and names somebody to write to instead.

    former_staff names=alice names=bob contact=office

RESULTS

rcpt: DENY `<name> has left, please write to <contact>`; DECLINED otherwise.
"""

from qpsmtpd.plugin import DECLINED, DENY, Address, Answer, Parameters, Plugin, Transaction


class FormerStaff(Plugin):
    """Knows who has left."""

    class Args:
        names: list[str]  #: local part of an address; repeatable
        contact: str = "office"  #: local part of who answers instead

    def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Answer:
        """Look at one recipient."""
        if recipient.user.lower() not in self.args.names:
            return DECLINED
        contact = f"{self.args.contact}@{recipient.host}"
        return DENY, f"{recipient.user} has left, please write to {contact}"


# docs: end first
