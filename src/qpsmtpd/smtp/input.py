"""Octets from the client that no command has used yet."""

__all__ = ["Input", "MalformedLine"]


class MalformedLine(Exception):  # noqa: N818 - says what it is, as ``Goodbye`` does
    """A line that is not as a line should be (RFC 5321 §2.3.8, §4.5.3.1.4).

    Attributes:
        line: the line without its line end, if its only fault is a bare CR or LF; None when it
            was too long, and is dropped.
    """

    def __init__(self, line: bytes | None) -> None:
        super().__init__()
        self.line = line


class Input:
    """A buffer that is cut from its front, without moving what is left for each line.

    Attributes:
        buffer: octets; empty when all were used, else some at its front may have been.
        ended: no more will come.
    """

    __slots__ = ("_position", "_skipping", "buffer", "ended")

    def __init__(self) -> None:
        self.buffer = b""
        self._position = 0  # of the next octet; 0 in an empty buffer
        self._skipping = False  # inside a line that was too long
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Add octets; empty ones mean that no more will come."""
        if not data:
            self.ended = True
        elif self.buffer:
            self.buffer = self.buffer[self._position :] + data
            self._position = 0
        else:
            self.buffer = data

    @property
    def size(self) -> int:
        """How many octets there are."""
        return len(self.buffer) - self._position

    def line(self, limit: int) -> bytes | None:
        """Cut a line.

        Args:
            limit: octets it may have, line end included.

        Returns:
            The line without its CRLF; None when more octets are needed.

        Raises:
            MalformedLine: it is too long, or has a bare CR or LF.
        """
        start, buffer = self._position, self.buffer
        end = buffer.find(b"\n", start)
        cut = buffer.find(b"\r", start, end)
        if start <= cut == end - 1 < start + limit - 1 and not self._skipping:
            if end + 1 == len(buffer):
                self.buffer = b""
                self._position = 0
            else:
                self._position = end + 1
            return buffer[start:cut]
        self._odd_line(limit, end + 1)
        return None

    def _odd_line(self, limit: int, end: int) -> None:
        """Cut a line that is not whole yet or is malformed; *end* is behind it, or 0."""
        start, buffer = self._position, self.buffer
        if not end:
            if len(buffer) - start > limit or self._skipping:
                self._skipping = True
                self.take()
            return
        if end == len(buffer):
            self.buffer = b""
            self._position = 0
        else:
            self._position = end
        if end - start > limit or self._skipping:
            self._skipping = False
            raise MalformedLine(None)
        raise MalformedLine(buffer[start:end].rstrip(b"\r\n"))

    def take(self) -> bytes:
        """Cut everything."""
        block = self.buffer[self._position :] if self._position else self.buffer
        self.buffer = b""
        self._position = 0
        return block

    def put_back(self, rest: bytes) -> None:
        """Make octets that were taken the next ones again."""
        self.buffer = rest + self.take()
