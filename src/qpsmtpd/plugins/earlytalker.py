"""earlytalker - refuse clients that talk before their turn

DESCRIPTION

A client has to wait for the greeting before it says anything (RFC 5321 §3.1). Programs that only
push mail out often do not. This plugin makes each client wait a moment before the greeting and
looks whether it has talked meanwhile. With `check-at DATA` it looks again before 354; both places
may be given: `check-at CONNECT check-at DATA`.

Relay clients and whitelisted ones do not wait, nor does a client with a good record in karma.

With `defer-reject 1` an early talker is greeted all the same and has each MAIL refused, so that
the log shows who it pretended to be. Such refusals are temporary unless `reject_type` says
otherwise; without `defer-reject` they are permanent.

`action deny`, `action denysoft` and `action log` of old configurations are understood.

Under PIPELINING a client may send what follows DATA only after 354 (RFC 2920 §3.1), which is what
the check at DATA is about.

RESULTS

connect, data: DENY or what `reject_type` says, `Connecting host started transmitting before SMTP
greeting`. mail, with `defer-reject`: the same for each MAIL.

NOTES

Sets `earlytalker` of the connection to 1, and takes one off its karma. Reads `earlytalker_wait`
(seconds, in place of `wait`) and `karma_history`.

SEE ALSO

karma, naughty
"""

from typing import Literal

from qpsmtpd.plugin import (
    DECLINED,
    LOGINFO,
    Answer,
    Connection,
    Duration,
    Plugin,
    Transaction,
)

_TEXT = "Connecting host started transmitting before SMTP greeting"
_GOOD = 5  # history in karma above which nobody is made to wait
_PLACES = frozenset({"CONNECT", "DATA"})


class Earlytalker(Plugin):
    """Waits, then looks whether the client did."""

    args: "Earlytalker.Args"
    eager = True

    class Args:
        wait: Duration = Duration("1s")  #: how long a client has to be silent before the greeting
        check_at: list[str] = []  # noqa: RUF012 - a default, never changed
        #: `CONNECT`, the default, or `DATA`; give it twice for both

        defer_reject: bool = False  #: greet an early talker, and refuse each MAIL
        action: Literal["deny", "denysoft", "log"] | None = None
        #: of old configurations: `log` is `reject 0`, `denysoft` makes refusals temporary

        def check(self) -> None:
            """Hold the places against the list."""
            if not {place.upper() for place in self.check_at} <= _PLACES:
                raise ValueError("check-at takes CONNECT and DATA")

    def register(self) -> None:
        """Take part at the places given."""
        places = {place.upper() for place in self.args.check_at} or {"CONNECT"}
        if self.args.action:
            self.reject = "0" if self.args.action == "log" else "1"
        self.soft = self.args.defer_reject or self.args.action == "denysoft"
        if "CONNECT" in places:
            self.register_hook("connect", self.before_greeting)
        if "DATA" in places:
            self.register_hook("data", self.before_data)
        if self.args.defer_reject:
            self.register_hook("mail", self.at_mail)

    async def before_greeting(self, connection: Connection) -> Answer:
        """Wait, then look."""
        if self.is_immune(connection):
            return DECLINED
        if connection.notes.get("karma_history", 0) > _GOOD:
            self.log(LOGINFO, "skip, good history", connection)
            return DECLINED
        if not connection.input_pending():
            await self.clock.sleep(connection.notes.get("earlytalker_wait", self.args.wait))
        return self.look(connection, later=self.args.defer_reject)

    async def before_data(self, transaction: Transaction) -> Answer:
        """Look, and wait only if there is nothing to see yet."""
        connection = transaction.connection
        if self.is_immune(transaction):
            return DECLINED
        if not connection.input_pending():
            await self.clock.sleep(connection.notes.get("earlytalker_wait", self.args.wait))
        return self.look(connection)

    def at_mail(self, transaction: Transaction, sender: object, params: object) -> Answer:
        """Refuse whoever was noticed before."""
        if not transaction.connection.notes.get("earlytalker"):
            return DECLINED
        return self.get_reject(transaction, _TEXT, soft=self.soft)

    def look(self, connection: Connection, *, later: bool = False) -> Answer:
        """Answer by what the client has sent meanwhile."""
        if not connection.input_pending():
            self.log(LOGINFO, "pass, not spontaneous", connection)
            return DECLINED
        connection.notes["earlytalker"] = 1
        self.adjust_karma(connection, -1)
        if later:
            self.log(LOGINFO, "fail, refused at MAIL", connection)
            return DECLINED
        return self.get_reject(connection, _TEXT, soft=self.soft)
