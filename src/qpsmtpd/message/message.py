"""One message: header and spool, and every way to read them.

Content is text with LF line ends. A verbatim message (BINARYMIME, RFC 3030) is kept as it came,
with CRLF; no reader converts it. Edits of the header never touch the spool: readers that start at
the top get the edited header, the blank line and the body as received. Each reader has its own
position.
"""

import io
from collections.abc import Iterator
from itertools import chain
from typing import Final

from qpsmtpd.message.header import Header
from qpsmtpd.message.reading import Reading
from qpsmtpd.message.spool import Spool, Storage
from qpsmtpd.message.transfer import stuff, stuff_verbatim, with_newline

__all__ = ["Message"]

_LF: Final = b"\n"
_CRLF: Final = b"\r\n"
_LINE_ENDS: Final = frozenset({b"\n", b"\r"})
_DEFAULT: Final = Storage()
#: octets of a body's first block that are joined to the header, to save its reader a write
_SMALL: Final = 65536


def _joined(head: bytes, body: Iterator[bytes]) -> Iterator[bytes]:
    """Put *head* in front of *body*, in one block with its first if that is cheap."""
    first = next(body, b"")
    if len(first) <= _SMALL:
        return chain((head + first,), body)
    return chain((head, first), body)


class Message:
    """What the client sent between DATA and the final dot, or in its chunks.

    Attributes:
        header_ended: the blank line was seen, or the end of data.
        body_start: offset in the content of the first octet after the blank line; known once
            ``header_ended``.
        verbatim: the content is kept with CRLF.
    """

    __slots__ = (
        "_blank",
        "_header",
        "_mark",
        "_newline",
        "_spool",
        "_tail",
        "body_start",
        "header_ended",
        "verbatim",
    )

    def __init__(self, storage: Storage = _DEFAULT, *, verbatim: bool = False) -> None:
        """Begin an empty message.

        Args:
            storage: where it goes when it grows.
            verbatim: keep the content as received, with CRLF.
        """
        newline = _CRLF if verbatim else _LF
        self._spool = Spool(storage)
        self._newline = newline
        self._mark = newline * 2
        self._tail = newline  # last octets so far, as if a line had ended before the first one
        self._blank = newline  # what separates header and body; b"" when nothing does
        self._header: Header | None = None
        self.verbatim = verbatim
        self.header_ended = False
        self.body_start = 0

    def append(self, block: bytes) -> None:
        """Take content in.

        Raises:
            StorageError: it cannot be stored; the message is lost, and closed.
            ValueError: the message was finished or closed.
        """
        if not self.header_ended:
            self._look_for_blank_line(block)
        self._spool.append(block)

    @property
    def received_size(self) -> int:
        """Octets appended so far."""
        return self._spool.size

    def _look_for_blank_line(self, block: bytes) -> None:
        mark = self._mark
        if block[:1] in _LINE_ENDS:  # the mark may have begun in an earlier block
            tail = self._tail
            found = (tail + block[: len(mark) - 1]).find(mark)
            if found >= 0:
                self.body_start = self._spool.size + found - len(tail) + len(mark)
                self.header_ended = True
                return
        found = block.find(mark)
        if found >= 0:
            self.body_start = self._spool.size + found + len(mark)
            self.header_ended = True
        else:
            self._tail = (self._tail + block[1 - len(mark) :])[1 - len(mark) :]

    def finish(self) -> None:
        """Note the end of data; without a blank line everything was header."""
        if not self.header_ended:
            self.header_ended = True
            self.body_start = self.received_size
            self._blank = b""
        self._spool.seal()

    @property
    def header(self) -> Header:
        """The header, to read and to edit.

        Raises:
            StorageError: the spool cannot be read.
            ValueError: its end has not been seen yet, or the message was closed.
        """
        header = self._header
        if header is None:
            if not self.header_ended:
                raise ValueError("the header section has not ended yet")
            content = self._spool.read(0, self.body_start - len(self._blank))
            header = self._header = Header(content, newline=self._newline)
        return header

    @property
    def spooled(self) -> bool:
        """True when the content is in a file."""
        return self._spool.spooled

    @property
    def size(self) -> int:
        """Octets that ``blocks`` yields: edited header, blank line, body, as they are stored."""
        head = self._head()
        if head is None:
            return self.received_size
        return len(head) + self.received_size - self.body_start

    def _head(self) -> bytes | None:
        """Return header and blank line if they are not as received."""
        header = self._header
        if header is None or not header.edited:
            return None
        return header.to_bytes() + self._blank

    def blocks(self, *, newline: bytes = _LF, stuffed: bool = False) -> Iterator[bytes]:
        r"""Yield the message: edited header, blank line, body.

        Args:
            newline: line ends of the result, ``\n`` or ``\r\n``; a verbatim message keeps its own.
            stuffed: for the DATA of SMTP: double a dot at the start of a line, and end the last
                line (RFC 5321 §4.5.2).

        Raises:
            StorageError: the spool cannot be read.
            ValueError: the message was closed.
        """
        head = self._head()
        if head is None:
            blocks = self._spool.blocks(0)
        else:
            blocks = _joined(head, self._spool.blocks(self.body_start))
        if self.verbatim:
            return stuff_verbatim(blocks) if stuffed else blocks
        if stuffed:
            blocks = stuff(blocks)
        return blocks if newline == _LF else with_newline(blocks, newline)

    def body_blocks(self) -> Iterator[bytes]:
        """Yield the body, without the blank line, as it is stored.

        Raises:
            StorageError: the spool cannot be read.
            ValueError: the message was closed, or its header has not ended.
        """
        if not self.header_ended:
            raise ValueError("the header section has not ended yet")
        return self._spool.blocks(self.body_start)

    def open(self) -> io.BufferedReader:
        """Open the message for reading by position or line, with the header as it is now.

        Reading raises StorageError when the spool fails, ValueError when the message was closed.
        """
        head = self._head()
        if head is None:
            return io.BufferedReader(Reading(b"", self._spool, 0))
        return io.BufferedReader(Reading(head, self._spool, self.body_start))

    def send_to(self, fd: int) -> None:
        """Write what ``blocks`` yields to a descriptor that blocks; a body in a file is not read.

        Raises:
            OSError: the destination fails.
            StorageError: the spool cannot be read.
            ValueError: the message was closed.
        """
        head = self._head()
        if head is None:
            self._spool.send_to(fd, 0)
        else:
            self._spool.send_to(fd, self.body_start, head)

    def path(self) -> str:
        """Return the path of a file with the message as received, for programs that take no other.

        It has mode 0600, is alone in a directory of mode ``spool_perms``, and is gone after
        ``close``.

        Raises:
            StorageError: the file cannot be made.
            ValueError: the message is not finished, or was closed.
        """
        if not self.header_ended:
            raise ValueError("the message is not finished")
        return self._spool.path()

    def close(self) -> None:
        """Drop the content and any file of it; again does nothing."""
        self._spool.close()
