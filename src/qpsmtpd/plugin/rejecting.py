"""Decisions that plugins share: whom to leave alone, how to refuse, what to remember of a client.

Rule: how a plugin refuses is the operator's choice, by ``reject`` and ``reject_type`` on its line;
the plugin only says that it would.
"""

from typing import TYPE_CHECKING, Any, Final, Union, cast

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    LOGINFO,
    Result,
)

if TYPE_CHECKING:
    from qpsmtpd.smtp.connection import Connection
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["REJECT_TYPES", "About", "Answer", "Rejecting", "connection_of"]

#: what a handler answers: a result, alone or with a text for the client
Answer = Result | tuple[Result, str]

#: whom something is about
About = Union["Connection", "Transaction"]

#: values of the argument ``reject_type``
REJECT_TYPES: Final = {
    "temp": DENYSOFT,
    "soft": DENYSOFT,
    "perm": DENY,
    "hard": DENY,
    "disconnect": DENY_DISCONNECT,
    "temp_disconnect": DENYSOFT_DISCONNECT,
}

_TOLERATED: Final = frozenset({"", "0", "0.0", "no", "off", "false"})


def connection_of(about: About) -> "Connection":
    """Return the connection of a transaction, or the connection itself."""
    return cast("Connection", getattr(about, "connection", about))


class Rejecting:
    """The part of a plugin that refuses; see ``Plugin``."""

    name: str
    reject: Any
    reject_type: Any

    def log(self, level: int, text: str, about: About | None = None, *, hook: str = "") -> None:
        """Write a line; see ``Plugin.log``."""
        raise NotImplementedError

    def is_immune(self, about: About) -> bool:
        """Tell whether filters are to leave a client alone, and log why.

        Relay clients are, clients with the note ``whitelisthost``, and transactions with the note
        ``whitelistsender``.
        """
        connection = connection_of(about)
        transaction = about if about is not connection else connection.transaction
        if connection.relay_client:
            reason = "relay client"
        elif connection.notes.get("whitelisthost"):
            reason = "whitelisted host"
        elif transaction is not None and transaction.notes.get("whitelistsender"):
            reason = "whitelisted sender"
        else:
            return False
        self.log(LOGINFO, f"skip, {reason}", connection)
        return True

    def is_naughty(self, about: About, text: str | None = None) -> bool:
        """Tell whether a client has a refusal waiting; with *text*, give it one.

        Args:
            about: the client.
            text: the refusal; "" takes one back; None only asks.
        """
        notes = connection_of(about).notes
        if text is not None:
            notes["naughty"] = notes["rejected"] = text
        return bool(notes.get("naughty"))

    def get_reject(
        self,
        about: About,
        text: str = "unspecified error",
        log_text: str = "",
        *,
        soft: bool = False,
    ) -> Answer:
        """Refuse as the argument ``reject`` of the line has it.

        ``0`` tolerates, ``naughty`` leaves the refusal to the plugin of that name, everything
        else refuses now, in the manner of ``reject_type``.

        Args:
            about: the connection or transaction to refuse.
            text: for the client.
            log_text: for the log, in addition.
            soft: refuse temporarily unless ``reject_type`` says otherwise.

        Returns:
            What the handler is to return.
        """
        tail = f", {log_text}" if log_text else ""
        reject = "" if self.reject is False else self.reject
        if reject is not None and str(reject).lower() in _TOLERATED:
            self.log(LOGINFO, f"fail, tolerated{tail}", about)
            return DECLINED
        if reject is not None and str(reject).lower() == "naughty":
            self.log(LOGINFO, f"fail, NAUGHTY{tail}", about)
            return self.store_deferred_reject(about, f"({self.name}) {text}")
        self.log(LOGINFO, f"fail{tail}", about)
        return self.get_reject_type(DENYSOFT if soft else DENY), text

    def get_reject_type(self, default: Result = DENY, override: str | None = None) -> Result:
        """Return the result that the argument ``reject_type`` asks for.

        Args:
            default: when it asks for nothing.
            override: a reject type to use instead of the line's.
        """
        return REJECT_TYPES.get(str(override or self.reject_type or "").lower(), default)

    def store_deferred_reject(self, about: About, text: str) -> Result:
        """Leave a refusal for the plugin ``naughty``, behind those that are there already.

        Returns:
            DECLINED.
        """
        notes = connection_of(about).notes
        earlier = notes.get("naughty")
        notes["naughty"] = f"{earlier}\r\n{text}" if earlier else text
        if not notes.get("naughty_reject_type"):
            notes["naughty_reject_type"] = self.reject_type
        return DECLINED

    def adjust_karma(self, about: About, value: int) -> int:
        """Add to the client's karma, whether or not the plugin ``karma`` is loaded.

        Returns:
            *value*.
        """
        notes = connection_of(about).notes
        notes["karma"] = karma = notes.get("karma", 0) + value
        self.log(LOGINFO, f"karma {value} ({karma})", about)
        return value

    def store_auth_results(self, about: About, text: str) -> None:
        """Add a result to what becomes the Authentication-Results field (RFC 8601)."""
        notes = connection_of(about).notes
        earlier = notes.get("authentication_results")
        notes["authentication_results"] = f"{earlier}; {text}" if earlier else text
