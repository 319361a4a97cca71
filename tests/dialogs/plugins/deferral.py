# ruff: noqa: D415 - a plugin's docstring is its manual page
"""deferral - put off who comes for the first time, for dialogs"""

from qpsmtpd.plugin import DECLINED, Duration


class Args:
    delay: Duration = Duration("50m")  #: how long


async def hook_rcpt(plugin, transaction, recipient, params):
    about = f"{transaction.connection.remote_ip} {transaction.sender} {recipient}"
    now = plugin.clock.now()
    if now - await plugin.store.setdefault(about, now) >= plugin.args.delay:
        return DECLINED
    return plugin.get_reject(transaction, "Greylisted, please try again later", soft=True)
