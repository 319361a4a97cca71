"""What a session says: its replies, encoded, counted and logged."""

from typing import TYPE_CHECKING

from qpsmtpd.constants import DONE, LOGINFO, LOGNOTICE
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.reply import REPLIES, Answer, Fixed, encode, encode_line
from qpsmtpd.smtp.settings import SessionSettings

if TYPE_CHECKING:
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["Output"]


class Output:
    """The speaking half of a session.

    ``refusals`` counts by verb in lower case; ``errors`` and ``bad_recipients`` those for good.
    """

    __slots__ = (
        "_enhanced",
        "_verbose",
        "bad_recipients",
        "connection",
        "errors",
        "out",
        "refusals",
        "settings",
        "transaction",
        "verb",
    )

    def __init__(self, connection: Connection, settings: SessionSettings) -> None:
        self.connection = connection
        self.settings = settings
        self.transaction: Transaction | None = None
        self.verb = ""  # command being served
        self.refusals: dict[str, int] = {}
        self.errors = self.bad_recipients = 0
        self._enhanced = False
        self.out = b""
        self._verbose = connection.logger.threshold >= LOGINFO
        connection.respond_with = self._respond

    def data_to_send(self) -> bytes:
        """Return the replies made since the last call."""
        out, self.out = self.out, b""
        return out

    def send(self, reply: Fixed) -> None:
        """Send a reply that never changes."""
        octets = reply[self._enhanced]
        self.out += octets
        if octets[0] >= 52:  # ord("4")
            self._count_refusal(octets[0])
        if self._verbose:
            self._log_reply(octets)

    def reply(self, code: int, status: str, *lines: str) -> None:
        """Send a reply; *status* is used once the client knows enhanced status codes."""
        octets, enhanced = b"", self._enhanced
        if len(lines) == 1:
            octets = encode_line(code, status, lines[0], enhanced=enhanced)
        if not octets:
            utf8 = self.transaction is not None and "smtputf8" in self.transaction.mail_parameters
            octets = encode(code, status, lines, enhanced=enhanced, utf8=utf8)
        self.out += octets
        if code >= 400:
            self._count_refusal(octets[0])
        if self._verbose:
            self._log_reply(octets)

    def send_raw(self, octets: bytes) -> None:
        """Send a reply that was encoded elsewhere."""
        self.out += octets
        if self._verbose:
            self._log_reply(octets)

    def answer(self, hook: str, verdict: Verdict, **facts: str) -> Answer:
        """Send what the reply table has for a verdict.

        Args:
            hook: its row.
            verdict: its column, and the plugin's own text.
            facts: for the placeholders of a default text.

        Returns:
            The cell. Its code is 0 when nothing was sent and the session goes on.
        """
        if verdict.result is DONE:
            return Answer(1, close=hook == "quit")
        cell = REPLIES[hook][verdict.result]
        if verdict.lines:
            if cell.code:
                self.reply(cell.code, cell.status, *verdict.lines)
        elif cell.code:
            ready = cell.fixed
            if ready is not None:
                self.send(ready)
            else:
                self.reply(cell.code, cell.status, *_default(cell, facts))
        return cell

    def use_enhanced(self, *, on: bool) -> None:
        """Say whether replies from now on carry enhanced status codes (RFC 2034)."""
        self._enhanced = on and self.settings.enhanced_status_codes

    def _count_refusal(self, first: int) -> None:
        self.refusals[self.verb] = self.refusals.get(self.verb, 0) + 1
        if first == 53:  # ord("5"): for good
            if self.verb == "rcpt":
                self.bad_recipients += 1
            else:
                self.errors += 1

    def _respond(self, code: int, lines: tuple[str, ...]) -> None:
        """Send a plugin's own reply (``connection.respond``)."""
        self.reply(code, "", *lines)

    def _log_reply(self, octets: bytes) -> None:
        for line in octets[:-2].split(b"\r\n"):
            self.connection.log(LOGINFO, line.decode("utf-8", "replace"))

    def notice(self, text: str, verdict: str = "") -> None:
        """Log something an operator may want to know of this session.

        Args:
            text: the line.
            verdict: one word about what became of a message, for structured writers.
        """
        connection = self.connection
        connection.logger.log(LOGNOTICE, text, connection=connection, verdict=verdict)


def _default(cell: Answer, facts: dict[str, str]) -> list[str]:
    text = cell.text
    for name, value in facts.items():
        text = text.replace("{" + name + "}", value)
    return text.split("\n")
