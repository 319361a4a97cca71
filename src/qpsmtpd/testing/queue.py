"""Where messages go that reached the queue: nowhere but into a list."""

from typing import TYPE_CHECKING, Final, NamedTuple

from qpsmtpd.constants import OK, Result
from qpsmtpd.hooks import HOOKS, Handler

if TYPE_CHECKING:
    from qpsmtpd.address import Address
    from qpsmtpd.smtp import Transaction

__all__ = ["NAME", "MemoryQueue", "Queued"]

NAME: Final = "memory_queue"


class Queued(NamedTuple):
    """A message that was taken."""

    sender: "Address"
    recipients: "tuple[Address, ...]"
    content: bytes  #: all of it, trace fields included, with LF line ends

    @property
    def header(self) -> bytes:
        """The fields, each with its line end."""
        return self._parts()[0]

    @property
    def body(self) -> bytes:
        """What stands behind the blank line."""
        return self._parts()[1]

    def _parts(self) -> tuple[bytes, bytes]:
        if self.content.startswith(b"\n"):
            return b"", self.content[1:]
        header, _, body = self.content.partition(b"\n\n")
        return header + b"\n", body


class MemoryQueue:
    """Answers the hook queue where no plugin does."""

    def __init__(self, queued: list[Queued]) -> None:
        """Set up.

        Args:
            queued: takes the messages.
        """
        self._queued = queued

    def hook_queue(self, transaction: "Transaction") -> tuple[Result, str]:
        """Keep a copy."""
        message, sender = transaction.message, transaction.sender
        if message is None or sender is None:
            raise ValueError("hook queue without a message")
        content = b"".join(message.blocks())
        self._queued.append(Queued(sender, tuple(transaction.recipients), content))
        return OK, "Queued"

    def handler(self) -> Handler:
        """Make the handler, to stand behind all others."""
        return Handler(NAME, HOOKS["queue"], self.hook_queue)
