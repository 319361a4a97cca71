"""Text of strangers, made safe for a log.

Rule: what a client sent can neither end a line, nor move a terminal's cursor, nor show a password.
"""

import re
from typing import Final

__all__ = ["escape", "mask"]

#: C0, DEL and C1 become \xNN, as do octets that were no UTF-8 (surrogateescape)
_ESCAPES: Final[dict[int, str]] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{code: f"\\x{code & 0xFF:02x}" for code in range(0xDC80, 0xDD00)},
    # separators that some readers take for a newline, and marks that reorder what is displayed
    **{
        code: f"\\u{code:04x}"
        for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
    # surrogates that stand for nothing, and that no stream can write
    **{code: f"\\u{code:04x}" for code in (*range(0xD800, 0xDC80), *range(0xDD00, 0xE000))},
}

_AUTH: Final = re.compile(r"(\s*AUTH)(\s+\S+)?(\s+.*)?", re.IGNORECASE | re.DOTALL)

#: SASL mechanisms; any other word behind AUTH may be a password in the wrong place
_MECHANISM: Final = re.compile(
    r"(?:PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|SCRAM-[A-Z0-9-]{1,20}|XOAUTH2?|OAUTHBEARER|EXTERNAL"
    r"|ANONYMOUS|GSSAPI|GS2-[A-Z0-9-]{1,20}|NTLM)",
    re.IGNORECASE,
)

_HIDDEN: Final = "***"


def escape(text: str) -> str:
    r"""Make *text* safe to write as part of one line.

    Returns:
        The text with control characters as ``\xNN``, separators and marks of direction as
        ``\uNNNN``, and everything else unchanged, so that it can be written as UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_ESCAPES)


def mask(line: bytes | str) -> str:
    """Hide what an AUTH command carries (RFC 4954 §4).

    Args:
        line: a command line as the client sent it. A line in answer to a challenge is to be
            hidden whole by whoever asked for it: it looks like nothing in particular.

    Returns:
        The line as text; behind AUTH only the name of a known mechanism is left.
    """
    text = line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line
    found = _AUTH.fullmatch(text)
    if found is None:
        return text
    verb, mechanism, response = found.groups()
    if mechanism is None:
        return text
    if _MECHANISM.fullmatch(mechanism.strip()) is None:
        return f"{verb} {_HIDDEN}"
    if response is None or not response.strip():
        return f"{verb}{mechanism}"
    return f"{verb}{mechanism} {_HIDDEN}"
