# ruff: noqa: D415 - a plugin's docstring is its manual page
"""goodbye - say goodbye in several lines, for dialogs"""

from qpsmtpd.plugin import DECLINED, DONE, blocking

SAYING = "You will be surprised by a loud noise.\nKeep it short."


@blocking
def hook_quit(plugin, connection):
    if connection.hello != "helo":
        return DECLINED
    lines = [f"  / {line}" for line in SAYING.splitlines()]
    connection.respond(221, f"{plugin.config.text('me')} closing connection.", *lines)
    return DONE
