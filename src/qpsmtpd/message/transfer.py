"""Blocks of text made fit for a transfer: line ends and dots (RFC 5321 §2.3.8, §4.5.2).

Blocks may be cut anywhere; nothing is held back, and a block without a dot at the start of a line
costs a search.
"""

from collections.abc import Iterable, Iterator

__all__ = ["stuff", "stuff_verbatim", "with_newline"]


def with_newline(blocks: Iterable[bytes], newline: bytes) -> Iterator[bytes]:
    """Replace the LF that ends each line."""
    for block in blocks:
        yield block.replace(b"\n", newline)


def stuff(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Double each dot at the start of a line that LF ends the one before; end the last line."""
    last = b"\n"
    for block in blocks:
        text = block.replace(b"\n.", b"\n..")
        yield b"." + text if last == b"\n" and text.startswith(b".") else text
        last = text[-1:] or last
    if last != b"\n":
        yield b"\n"


def stuff_verbatim(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Double each dot at the start of a line, where lines end in CRLF; end the last line."""
    last = b"\r\n"
    for block in blocks:
        text = block.replace(b"\r\n.", b"\r\n..")
        if last == b"\r\n" and text.startswith(b"."):
            text = b"." + text
        elif last.endswith(b"\r") and text.startswith(b"\n."):
            text = b"\n." + text[1:]
        yield text
        last = (last + text)[-2:] if len(text) < 2 else text[-2:]
    if last != b"\r\n":
        yield b"\r\n"
