"""One message on its way: reverse-path, forward-paths, content, notes."""

from typing import TYPE_CHECKING, Any

from qpsmtpd.hooks.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qpsmtpd.address import Address
    from qpsmtpd.constants import Result
    from qpsmtpd.message import Message
    from qpsmtpd.smtp.connection import Connection

__all__ = ["Transaction"]

#: ESMTP parameters: names in lower case; None for a parameter without a value
Parameters = dict[str, str | None]


class Transaction:
    """What MAIL began and the reply to the message, RSET or the end of the session ends."""

    __slots__ = (
        "_number",
        "_rcpt_parameters",
        "_verdicts",
        "connection",
        "mail_parameters",
        "message",
        "notes",
        "recipients",
        "sender",
    )

    def __init__(self, connection: "Connection", sender: "Address | None" = None) -> None:
        self.connection = connection
        self._number = connection.command_counter
        self.sender = sender  #: None until MAIL was accepted; the null path is an Address
        self.recipients: list[Address] = []  #: accepted ones, in order
        self.mail_parameters: Mapping[str, str | None] = {}
        self.message: Message | None = None  #: None until DATA or BDAT
        self.notes: dict[str, Any] = {}
        self._rcpt_parameters: dict[Address, Mapping[str, str | None]] | None = None
        self._verdicts: dict[Address, Verdict] | None = None

    @property
    def id(self) -> str:
        """Unique name, for logs and trace fields."""
        return f"{self.connection.id}.{self._number}"

    @property
    def rcpt_parameters(self) -> "dict[Address, Mapping[str, str | None]]":
        """What RCPT said about recipients (DSN), for those about whom it said something."""
        if self._rcpt_parameters is None:
            self._rcpt_parameters = {}
        return self._rcpt_parameters

    @property
    def verdicts(self) -> "dict[Address, Verdict]":
        """Answers that differ by recipient; see ``refuse``."""
        if self._verdicts is None:
            self._verdicts = {}
        return self._verdicts

    @property
    def with_protocol(self) -> str:
        """How the message comes, for Received (RFC 3848, RFC 6531 §3.7.3)."""
        name = self.connection.with_protocol
        return f"UTF8{name.removeprefix('E')}" if "smtputf8" in self.mail_parameters else name

    @property
    def per_recipient(self) -> bool:
        """True when the protocol gives each recipient its own final reply (RFC 2033)."""
        return self.connection.protocol == "LMTP"

    def refuse(self, recipient: "Address", result: "Result", *text: str) -> None:
        """Answer for one recipient only, after the message; see ``per_recipient``.

        Raises:
            ValueError: this protocol has one reply for all recipients, or *result* is no refusal.
        """
        if not result.refuses:
            raise ValueError(f"a recipient can be refused, not answered with {result.name}")
        if not self.per_recipient:
            raise ValueError("only LMTP answers for each recipient")
        self.verdicts[recipient] = Verdict(result, text)
