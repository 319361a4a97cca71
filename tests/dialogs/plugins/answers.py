# ruff: noqa: D415 - a plugin's docstring is its manual page
"""answers - answer as the client asks for, for dialogs

DESCRIPTION

A client names hook, result and perhaps a text: as the local part of a sender, `mail.DENY` or
`data_post.DENYSOFT.not_now`; as the name in its hello, `DENY.not_you`; or as the argument of
another command. An underscore of the text stands for a space, a slash for a new line.
"""

from typing import Literal

from qpsmtpd.plugin import DECLINED, DONE, OK, Plugin, blocking, result

CONNECTION = ("helo", "ehlo", "noop", "vrfy", "help", "unrecognized_command")
TRANSACTION = (
    *("mail", "rcpt", "data", "data_headers_end", "data_post_headers"),
    *("data_post", "queue_pre", "queue"),
)


class Answers(Plugin):
    """Does as it is told."""

    class Args:
        kind: Literal["plain", "blocking", "async"] = "plain"  #: what its handlers are

    def register(self):
        for hook in (*CONNECTION, *TRANSACTION):
            self.register_hook(hook, handler(hook, self.args.kind))

    def answer(self, hook, about, arguments):
        """Find out what the client wants to hear."""
        if hook in CONNECTION:
            words = arguments[-1].split(".")
        else:
            sender = arguments[0] if hook == "mail" else about.sender
            wanted, *words = sender.user.split(".")
            if wanted != hook:
                return OK if hook == "rcpt" else DECLINED
        try:
            code = result(words[0])
        except (IndexError, ValueError):
            return DECLINED
        text = words[1].replace("_", " ").replace("/", "\n") if words[1:] else ""
        if code is DONE:
            getattr(about, "connection", about).respond(299, text)
        return (code, text) if text else code


def handler(hook, kind):
    """Make a handler of one kind."""

    def plain(plugin, about, *arguments):
        return plugin.answer(hook, about, arguments)

    @blocking
    def waits(plugin, about, *arguments):
        plugin.wait(plugin.clock.sleep(0.5))
        return plugin.answer(hook, about, arguments)

    async def later(plugin, about, *arguments):
        await plugin.clock.sleep(0.5)
        return plugin.answer(hook, about, arguments)

    return {"plain": plain, "blocking": waits, "async": later}[kind]
