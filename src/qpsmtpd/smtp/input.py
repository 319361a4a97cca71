"""Octets from the client that no command has used yet."""

__all__ = ["Input"]


class Input:
    """A buffer that is cut from its front, without moving what is left for each line."""

    __slots__ = ("_buffer", "_position", "_skipping", "ended")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0  # of the next octet; 0 in an empty buffer
        self._skipping = False  # inside a line that was too long
        self.ended = False  #: no more will come

    def feed(self, data: bytes) -> None:
        """Add octets; empty ones mean that no more will come."""
        if not self._buffer:
            self._buffer = data
        elif data:
            self._buffer = self._buffer[self._position :] + data
            self._position = 0
        if not data:
            self.ended = True

    @property
    def pending(self) -> bool:
        """True when there are octets."""
        return bool(self._buffer)

    def line(self, limit: int) -> bytes | None:
        """Cut a line, with its line end.

        Args:
            limit: octets it may have, line end included.

        Returns:
            The line; none of it when it was too long, and is dropped; None when more octets are
            needed.
        """
        start, buffer = self._position, self._buffer
        end = buffer.find(b"\n", start) + 1
        if not end:
            if len(buffer) - start > limit or self._skipping:
                self._skipping = True
                self.take()
            return None
        if end == len(buffer):
            self._buffer = b""
            self._position = 0
        else:
            self._position = end
        if end - start > limit or self._skipping:
            self._skipping = False
            return b""
        return buffer[start:end]

    def take(self) -> bytes:
        """Cut everything."""
        block = self._buffer[self._position :] if self._position else self._buffer
        self._buffer = b""
        self._position = 0
        return block

    def put_back(self, rest: bytes) -> None:
        """Make octets that were taken the next ones again."""
        self._buffer = rest + self.take()
