# ruff: noqa: D415 - a plugin's docstring is its manual page
# docs: begin module
"""former_staff_module - tell senders that somebody has left"""

from qpsmtpd.plugin import DECLINED, DENY


class Args:
    names: list[str]  #: local part of an address; repeatable
    contact: str = "office"  #: local part of who answers instead


def hook_rcpt(plugin, transaction, recipient, params):
    if recipient.user.lower() not in plugin.args.names:
        return DECLINED
    contact = f"{plugin.args.contact}@{recipient.host}"
    return DENY, f"{recipient.user} has left, please write to {contact}"


# docs: end module
