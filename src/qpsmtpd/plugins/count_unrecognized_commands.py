"""count_unrecognized_commands - hang up on clients that send too many unknown commands

DESCRIPTION

Counts the commands of a connection that nobody knows. A plugin above this one that handles a
command of its own, as tls does, keeps it from being counted.

RESULTS

unrecognized_command: DENY_DISCONNECT `Closing connection, <n> unrecognized commands. Perhaps you
should read RFC 2821?` when the count reaches the argument; DECLINED before.

NOTES

Sets and reads `unrec_cmd_count` of the connection.

SEE ALSO

noop_counter
"""

from qpsmtpd.plugin import DECLINED, DENY_DISCONNECT, LOGINFO, Answer, Connection, Plugin


class CountUnrecognizedCommands(Plugin):
    """Counts unknown commands."""

    args: "CountUnrecognizedCommands.Args"

    class Args:
        positional = ("maximum",)
        maximum: int = 4  #: the unknown command that ends the connection, counted from 1

    def hook_unrecognized_command(
        self, connection: Connection, verb: str, argument: str
    ) -> Answer:
        """Count one more."""
        seen = connection.notes.get("unrec_cmd_count", 0) + 1
        connection.notes["unrec_cmd_count"] = seen
        if seen < self.args.maximum:
            return DECLINED
        self.log(LOGINFO, f"fail, {seen} unrecognized commands, disconnecting", connection)
        return (
            DENY_DISCONNECT,
            f"Closing connection, {seen} unrecognized commands. Perhaps you should read RFC 2821?",
        )
