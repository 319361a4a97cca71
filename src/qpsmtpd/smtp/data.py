"""Content of a message: DATA's end mark and dots, BDAT's counted octets, strict line ends.

Rule: only ``<CRLF>.<CRLF>`` ends DATA (RFC 5321 §4.1.1.4), and only ``<CRLF>`` ends a line
(§2.3.8). A bare CR or LF is policy: it never ends anything.

Content leaves with LF line ends. Work per block is a handful of searches in C; there is no work
per line. ``bytes.splitlines`` is right here and hardly anywhere else: on octets it cuts at CR, LF
and CRLF and at nothing else, and what it leaves tells, by arithmetic, whether each was a CRLF.
"""

from typing import Final

__all__ = ["ACCEPT", "NORMALIZE", "REJECT", "ChunkFilter", "DataScanner"]

REJECT: Final = "reject"  #: a bare CR or LF spoils the message
NORMALIZE: Final = "normalize"  #: a bare CR or LF is stored as a line end
ACCEPT: Final = "accept"  #: a bare CR or LF is stored as it is

_END: Final = b"\r\n.\r\n"
#: octets of an unfinished line that are kept back; a longer line is passed on in pieces
_MAX_HELD: Final = 65536


class DataScanner:
    """Find the end of DATA in a stream of blocks and undo dot-stuffing (RFC 5321 §4.5.2).

    Every line start is kept next to the CRLF before it, so the end mark and a stuffed dot are
    always whole in one block, however the client split its packets.
    """

    __slots__ = ("_held", "_line", "_max_line", "_policy", "_started", "bare", "overlong")

    def __init__(self, policy: str = REJECT, max_line: int = 0) -> None:
        """Begin behind the reply to DATA.

        Args:
            policy: ``reject``, ``normalize`` or ``accept``: what becomes of a bare CR or LF.
            max_line: octets allowed in a line of text; 0 for no limit.
        """
        self._held = b"\r\n"  # the line end before the first line is that of DATA itself
        self._started = False
        self._line = 0  # octets of an overlong line that were passed on already
        self._policy = policy
        self._max_line = max_line
        self.bare = False  #: a bare CR or LF was seen
        self.overlong = False  #: a line was longer than max_line

    def scan(self, block: bytes) -> tuple[bytes, bytes | None]:
        """Take a block in.

        Returns:
            The content found so far and not returned before, with LF line ends; and None while
            DATA goes on, or, after its end, the octets that follow it.
        """
        block = self._held + block
        dot = block.find(b".")
        if dot >= 0:
            dot = block.find(b"\r\n.", max(dot - 2, 0))
        if dot >= 0:
            end = block.find(_END, dot)
            if end >= 0:
                self._held = b""
                return self._emit(block[: end + 2], dot < end, last=True), block[end + 5 :]
        cut = block.rfind(b"\r\n")
        if cut > 0 and len(block) - cut <= _MAX_HELD:
            self._held = block[cut:]
            return self._emit(block[: cut + 2], 0 <= dot < cut), None
        if len(block) <= _MAX_HELD:
            self._held = block
            return b"", None
        return self._emit_long(block, max(cut, 0)), None

    def _emit(self, lines: bytes, stuffed: bool, *, last: bool = False) -> bytes:  # noqa: FBT001 - hot
        """Convert whole lines.

        They begin with the CRLF before them (but in the middle of a very long line) and end with
        a CRLF, which is kept only behind the last ones: in front of the next it comes again.
        """
        if stuffed:
            lines = lines.replace(b"\r\n.", b"\r\n")
        parts = lines.splitlines()
        ends = len(parts)
        if self._max_line:
            self._measure(lines, parts)
        first = not self._started
        if first:
            self._started = True
            del parts[0]
        if last:
            parts.append(b"")
        content = b"\n".join(parts)
        if len(content) - len(parts) + 1 + 2 * ends != len(lines) and (parts or ends != 1):
            self.bare = True
            if self._policy != NORMALIZE:
                content = lines.replace(b"\r\n", b"\n")
                content = content[1 if first else 0 : None if last else -1]
        return content

    def _emit_long(self, block: bytes, cut: int) -> bytes:
        """Pass on a block that ends in the middle of a very long line."""
        before = b""
        if cut:
            before = self._emit(block[: cut + 2], b"\r\n." in block[: cut + 2])
            block = block[cut:]
        start = b""
        if block.startswith(b"\r\n"):
            start = b"\n" if self._started else b""
            block = block[3 if block[2:3] == b"." else 2 :]
            self._line = 0
        self._started = True
        keep = -1 if block.endswith(b"\r") else len(block)
        content, self._held = block[:keep], block[keep:]
        if b"\r" in content or b"\n" in content:
            self.bare = True
            if self._policy == NORMALIZE:
                content = content.replace(b"\r", b"\n")
        if self._max_line:
            self._measure_piece(content)
        return before + start + content

    def _measure_piece(self, content: bytes) -> None:
        """Note when the line that *content* is a piece of gets too long."""
        first, *others = content.replace(b"\r", b"\n").split(b"\n")
        lengths = [self._line + len(first), *map(len, others)]
        self._line = lengths[-1]
        self.overlong |= max(lengths) > self._max_line

    def _measure(self, lines: bytes, parts: list[bytes]) -> None:
        """Note a line over the limit, also one that was passed on in pieces."""
        limit = self._max_line
        if len(lines) > limit and max(map(len, parts)) > limit:
            self.overlong = True
        if self._line:
            self.overlong |= self._line + len(parts[0]) > limit
            self._line = 0


class ChunkFilter:
    """Convert the line ends of BDAT's chunks (RFC 3030), which no dot has touched."""

    __slots__ = ("_held", "_line", "_max_line", "_policy", "bare", "overlong")

    def __init__(self, policy: str = REJECT, max_line: int = 0) -> None:
        """Begin before the first chunk.

        Args:
            policy: ``reject``, ``normalize`` or ``accept``: what becomes of a bare CR or LF.
            max_line: octets allowed in a line of text; 0 for no limit.
        """
        self._held = b""
        self._line = 0  # octets so far of the line a chunk has not ended
        self._policy = policy
        self._max_line = max_line
        self.bare = False  #: a bare CR or LF was seen
        self.overlong = False  #: a line was longer than max_line

    def convert(self, block: bytes, *, last: bool = False) -> bytes:
        """Return the content of *block* with LF line ends; a CR at its end waits for the next.

        Args:
            block: octets of a chunk, in order.
            last: no more will follow.
        """
        block = self._held + block
        self._held = b""
        if not last and block.endswith(b"\r"):
            block, self._held = block[:-1], b"\r"
        content = block.replace(b"\r\n", b"\n")
        if b"\r" in content or content.count(b"\n") != len(block) - len(content):
            self.bare = True
            if self._policy == NORMALIZE:
                content = content.replace(b"\r", b"\n")
        if self._max_line and not self.overlong:
            first, *others = content.split(b"\n")
            lengths = [self._line + len(first), *map(len, others)]
            self._line = lengths[-1]
            self.overlong = max(lengths) > self._max_line
        return content
