"""noop_counter - hang up on clients that send NOOP over and over

DESCRIPTION

Counts the NOOPs a client sends one after the other. Another command starts the count again. To
see every command, the plugin should stand above those that answer for good.

RESULTS

noop: DENY_DISCONNECT `Stop wasting my time, too many consecutive NOOPs` when the count reaches the
argument; DECLINED before. helo, ehlo, mail, rcpt, data, vrfy, help, reset_transaction: always
DECLINED.

NOTES

Sets and reads `noop_count` of the connection.

SEE ALSO

count_unrecognized_commands
"""

from qpsmtpd.plugin import (
    DECLINED,
    DENY_DISCONNECT,
    LOGINFO,
    Answer,
    Connection,
    Plugin,
    Transaction,
)

_TEXT = "Stop wasting my time, too many consecutive NOOPs"


class NoopCounter(Plugin):
    """Counts NOOPs in a row."""

    args: "NoopCounter.Args"

    class Args:
        positional = ("maximum",)
        maximum: int = 3  #: the NOOP that ends the connection, counted from 1

    def register(self) -> None:
        """See every command that starts the count again."""
        for hook in ("helo", "ehlo", "vrfy", "help"):
            self.register_hook(hook, self.reset_connection)
        for hook in ("mail", "rcpt", "data", "reset_transaction"):
            self.register_hook(hook, self.reset)

    def hook_noop(self, connection: Connection, argument: str) -> Answer:
        """Count one more."""
        seen = connection.notes.get("noop_count", 0) + 1
        connection.notes["noop_count"] = seen
        if seen < self.args.maximum:
            return DECLINED
        self.log(LOGINFO, f"fail, {seen} consecutive NOOPs, disconnecting", connection)
        return DENY_DISCONNECT, _TEXT

    def reset_connection(self, connection: Connection, *arguments: object) -> None:
        """Start again."""
        connection.notes["noop_count"] = 0

    def reset(self, transaction: Transaction, *arguments: object) -> None:
        """Start again."""
        transaction.connection.notes["noop_count"] = 0
