"""A message as a file: octets in front, then a spool from some offset on."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from qpsmtpd.message.spool import Spool

__all__ = ["Reading"]


class Reading(io.RawIOBase):
    """One reader's position in a message; to be wrapped in ``io.BufferedReader``."""

    def __init__(self, head: bytes, spool: "Spool", start: int) -> None:
        """Put *head* in front of what *spool* holds from *start* on."""
        super().__init__()
        self._head = head
        self._spool = spool
        self._shift = start - len(head)  # from a position here to an offset in the spool
        self._position = 0

    def readable(self) -> bool:
        """Tell that one may read."""
        return True

    def seekable(self) -> bool:
        """Tell that one may seek."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill *buffer* from the position on; returns how many octets it got."""
        with memoryview(buffer).cast("B") as view:
            position, head = self._position, self._head
            if position < len(head):
                block = head[position : position + len(view)]
            else:
                start = position + self._shift
                end = min(start + len(view), self._spool.size)
                block = self._spool.read(start, end)
            view[: len(block)] = block
        self._position += len(block)
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; returns it.

        Raises:
            ValueError: it would be negative.
        """
        end = self._spool.size - self._shift
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: end}[whence]
        if base + offset < 0:
            raise ValueError("position in front of the message")
        self._position = base + offset
        return self._position
