"""Replies, as a test wants to compare them."""

import re
from typing import Final

__all__ = ["Reply", "parse"]

_LINE: Final = re.compile(r"([2-5]\d\d)([ -]|\Z)(.*)", re.DOTALL)
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?: |\Z)")


class Reply:
    """One reply of the server (RFC 5321 §4.2).

    It equals its code, ``(code, text)`` and ``(code, status, text)``::

        assert client.rcpt("user@example.org") == 450
        assert client.rcpt("user@example.org") == (450, "Greylisted, please try again later")

    Attributes:
        code: the three digits.
        status: enhanced status code (RFC 2034), ``4.7.1``; "" if there is none.
        lines: the texts, without code and status.
    """

    __slots__ = ("code", "lines", "status")

    __hash__ = None  # type: ignore[assignment]  # what equals three kinds of things has no hash

    def __init__(self, code: int, lines: tuple[str, ...], status: str = "") -> None:
        self.code = code
        self.lines = lines
        self.status = status

    @property
    def text(self) -> str:
        """The texts, joined by newlines."""
        return "\n".join(self.lines)

    @property
    def refused(self) -> bool:
        """True for 4xx and 5xx."""
        return self.code >= 400

    def __int__(self) -> int:
        return self.code

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Reply):
            return (self.code, self.status, self.lines) == (other.code, other.status, other.lines)
        if isinstance(other, tuple):
            return other in {
                (self.code, self.text),
                (self.code, self.status, self.text),
                (self.code, f"{self.status} {self.text}".strip()),
            }
        return self.code == other

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def __repr__(self) -> str:
        words = (str(self.code), self.status, self.text)
        return f"<Reply {' '.join(word for word in words if word)!r}>"


def parse(octets: bytes) -> list[Reply]:
    """Cut what a server has sent into replies.

    Raises:
        ValueError: it is none, not complete, or its lines disagree about the code.
    """
    found: list[Reply] = []
    lines: list[str] = []
    status = ""
    *whole, rest = octets.decode("utf-8", "surrogateescape").split("\r\n")
    code = ""
    for line in whole:
        match = _LINE.fullmatch(line)
        if match is None or (lines and match[1] != code):
            raise ValueError(f"no line of a reply: {line!r}")
        code, text = match[1], match[3]
        own = _STATUS.match(text)
        if own and own[0][0] == code[0]:
            status = own[0].rstrip()
            text = text[own.end() :]
        lines.append(text)
        if match[2] != "-":
            found.append(Reply(int(code), tuple(lines), status))
            lines, status = [], ""
    if rest or lines:
        raise ValueError(f"an unfinished reply: {octets!r}")
    return found
