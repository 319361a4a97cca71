"""Replies: what each result of each hook becomes on the wire, and how text becomes bytes.

Rule: a reply is made here or not at all. Whatever a plugin puts into its text, one reply is one
well-formed reply (RFC 5321 §4.2): no CR, LF or control octet, no line over 512 octets, and, once
the client said EHLO, an enhanced status code in front (RFC 2034).
"""

import re
from typing import Final, NamedTuple

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    OK,
    Result,
)

__all__ = ["REPLIES", "Answer", "Fixed", "encode", "encode_line", "fixed", "status_of"]


class Answer(NamedTuple):
    """One cell of the reply table."""

    code: int  #: 0: nothing is sent and the session goes on
    status: str = ""  #: enhanced status code (RFC 3463) when the text has none of its own
    text: str = ""  #: when the plugin gave none
    close: bool = False  #: the connection ends after the reply
    fixed: "Fixed | None" = None  #: the reply in that text, encoded; None with placeholders


_GO_ON: Final = Answer(0)
Row = dict[Result, Answer]


def _row(
    deny: Answer, soft: Answer, deny_close: Answer, soft_close: Answer, ok: Answer, none: Answer
) -> Row:
    return {
        DENY: deny,
        DENYSOFT: soft,
        DENY_DISCONNECT: deny_close,
        DENYSOFT_DISCONNECT: soft_close,
        OK: ok,
        DECLINED: none,
    }


def _refusals(deny: Answer, soft: Answer, deny_close: Answer, soft_close: Answer) -> Row:
    return _row(deny, soft, deny_close, soft_close, _GO_ON, _GO_ON)


_REFUSED: Final = "5.7.1"
_LATER: Final = "4.7.1"
_NO_QUEUE: Final = "Queuing declined or disabled; try again later"
_GOODBYE: Final = Answer(221, "2.0.0", "{me} closing connection. Have a wonderful day.", True)
_UNKNOWN: Final = Answer(500, "5.5.1", "Unrecognized command")
_VERIFY: Final = Answer(252, "2.5.0", "Just try sending a mail and we'll see how it turns out ...")
_HELP: Final = Answer(
    214,
    "2.0.0",
    "This is qpsmtpd{version}\n"
    "See https://smtpd.github.io/qpsmtpd/\n"
    "To report bugs or send comments, ask the postmaster of this host.",
)
_HELO: Final = _refusals(
    Answer(550, _REFUSED, "Hello denied"),
    Answer(450, _LATER, "Hello temporarily denied"),
    Answer(550, _REFUSED, "Hello denied", True),
    Answer(450, _LATER, "Hello temporarily denied", True),
)

#: by hook and result; DONE, which says that the plugin has answered, is in no row
REPLIES: Final[dict[str, Row]] = {
    "connect": _refusals(
        Answer(550, _REFUSED, "Connection from you denied, bye bye.", True),
        Answer(450, _LATER, "Connection from you temporarily denied, bye bye.", True),
        Answer(550, _REFUSED, "Connection from you denied, bye bye.", True),
        Answer(450, _LATER, "Connection from you temporarily denied, bye bye.", True),
    ),
    "helo": _HELO,
    "ehlo": _HELO,
    "mail": _refusals(
        Answer(550, _REFUSED, "{address}, denied"),
        Answer(450, _LATER, "{address}, temporarily denied"),
        Answer(550, _REFUSED, "{address}, denied", True),
        Answer(421, _LATER, "{address}, temporarily denied", True),
    ),
    "rcpt": _row(
        Answer(550, _REFUSED, "relaying denied"),
        Answer(450, _LATER, "relaying denied"),
        Answer(550, _REFUSED, "delivery denied", True),
        Answer(421, _LATER, "relaying denied", True),
        _GO_ON,
        Answer(450, _LATER, "No plugin decided if relaying is allowed"),
    ),
    "data": _refusals(
        Answer(554, _REFUSED, "Message denied"),
        Answer(451, _LATER, "Message denied temporarily"),
        Answer(554, _REFUSED, "Message denied", True),
        Answer(451, _LATER, "Message denied temporarily", True),
    ),
    "data_headers_end": _refusals(
        Answer(554, _REFUSED, "Message denied"),
        Answer(451, _LATER, "Message denied temporarily"),
        Answer(554, _REFUSED, "Message denied", True),
        Answer(421, _LATER, "Message denied temporarily", True),
    ),
    "data_post_headers": _refusals(
        Answer(552, _REFUSED, "Message denied"),
        Answer(452, _LATER, "Message denied temporarily"),
        Answer(552, _REFUSED, "Message denied", True),
        Answer(452, _LATER, "Message denied temporarily", True),
    ),
    "data_post": _refusals(
        Answer(552, _REFUSED, "Message denied"),
        Answer(452, _LATER, "Message denied temporarily"),
        Answer(552, _REFUSED, "Message denied", True),
        Answer(452, _LATER, "Message denied temporarily", True),
    ),
    "queue_pre": _refusals(
        Answer(552, _REFUSED, "Message denied"),
        Answer(452, _LATER, "Message denied temporarily"),
        Answer(552, _REFUSED, "Message denied", True),
        Answer(452, _LATER, "Message denied temporarily", True),
    ),
    "queue": _row(
        Answer(552, _REFUSED, "Message denied"),
        Answer(452, "4.3.0", "Message denied temporarily"),
        Answer(451, "4.3.0", _NO_QUEUE),
        Answer(451, "4.3.0", _NO_QUEUE),
        Answer(250, "2.0.0", "Queued"),
        Answer(451, "4.3.0", _NO_QUEUE),
    ),
    "vrfy": _row(
        Answer(554, _REFUSED, "Access Denied"),
        _VERIFY,
        _VERIFY,
        _VERIFY,
        Answer(250, "2.1.5", "User OK"),
        _VERIFY,
    ),
    "noop": _row(
        Answer(500, _REFUSED, "Stop wasting my time."),
        Answer(250, "2.0.0", "OK"),
        Answer(500, _REFUSED, "Stop wasting my time.", True),
        Answer(250, "2.0.0", "OK"),
        Answer(250, "2.0.0", "OK"),
        Answer(250, "2.0.0", "OK"),
    ),
    "help": _row(
        Answer(500, "5.5.1", "Syntax error, command not recognized"),
        _HELP,
        _HELP,
        _HELP,
        _HELP,
        _HELP,
    ),
    "quit": _row(_GOODBYE, _GOODBYE, _GOODBYE, _GOODBYE, _GOODBYE, _GOODBYE),
    "unrecognized_command": _row(
        _UNKNOWN,
        _UNKNOWN,
        Answer(521, "5.5.1", "Unrecognized command", True),
        _UNKNOWN,
        _UNKNOWN,
        _UNKNOWN,
    ),
}

_TAIL_STATUS: Final = re.compile(r"\s*\(#([245]\.\d{1,3}\.\d{1,3})\)\s*\Z")
_HEAD_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |\Z)")
_CONTROL: Final = dict.fromkeys((*range(32), 127), "?") | {9: " "}
_CLASSES: Final = frozenset("245")
#: octets of text in one line, so that code, status and CRLF fit in 512 (RFC 5321 §4.5.3.1.5)
_TEXT_ROOM: Final = 490


class Fixed(NamedTuple):
    """A reply known in advance."""

    plain: bytes  #: without its enhanced status code
    enhanced: bytes  #: with it


def status_of(text: str) -> tuple[str, str]:
    """Part an enhanced status code from a plugin's text.

    The code may stand in front (``5.7.1 no``) or, as qpsmtpd wrote it, behind (``no (#5.7.1)``).

    Returns:
        The status code or "", and the text without it.
    """
    if match := _HEAD_STATUS.match(text):
        return match.group(), text[match.end() :].lstrip()
    if match := _TAIL_STATUS.search(text):
        return match.group(1), text[: match.start()]
    return "", text


def _bounded(line: bytes) -> list[bytes]:
    """Cut a line that is too long at its last space that fits, or between two characters."""
    pieces = []
    while len(line) > _TEXT_ROOM:
        cut = line.rfind(b" ", 1, _TEXT_ROOM)
        if cut < 0:
            cut = _TEXT_ROOM
            while line[cut] & 0xC0 == 0x80:  # inside a character of UTF-8
                cut -= 1
        pieces.append(line[:cut])
        line = line[cut:].lstrip(b" ")
    return [*pieces, line] if line or not pieces else pieces


def encode_line(code: int, status: str, text: str, *, enhanced: bool) -> bytes:
    """Encode what most replies are: one short line with nothing to part or to clean.

    Args:
        code: three digits (RFC 5321 §4.2.1).
        status: enhanced status code.
        text: what to say.
        enhanced: put the status code in front (RFC 2034).

    Returns:
        The octets; none when ``encode`` is needed.
    """
    if len(text) > _TEXT_ROOM or not (text.isascii() and text.isprintable()):
        return b""
    if not enhanced or code < 200:
        return f"{code} {text}\r\n".encode()
    if not status or text[:1] in _CLASSES or text[-1:] == ")":
        return b""
    return f"{code} {code // 100}{status[1:]} {text}\r\n".encode()


def encode(
    code: int,
    status: str,
    lines: tuple[str, ...],
    *,
    enhanced: bool,
    utf8: bool = False,
) -> bytes:
    """Turn a reply into octets.

    Args:
        code: three digits (RFC 5321 §4.2.1).
        status: enhanced status code for lines that bring none; "" for none.
        lines: texts, a line each.
        enhanced: put the status code in front (RFC 2034); else leave the texts as they are.
        utf8: the transaction asked for SMTPUTF8, so the reply may have it (RFC 6531 §3.7.4).
    """
    charset = "utf-8" if utf8 else "ascii"
    found: list[bytes] = []
    for line in lines or ("",):
        text, mark = line, b""
        if enhanced and code >= 200:
            own = ""
            if text.endswith(")") or text[:1] in _CLASSES:
                own, text = status_of(text)
            if own or status:
                status = f"{code // 100}{(own or status)[1:]}"
                mark = f"{status} ".encode()
        if not (text.isascii() and text.isprintable()):
            text = text.translate(_CONTROL)
        found += [mark + piece for piece in _bounded(text.encode(charset, "replace"))]
    number = b"%d" % code
    last = found.pop()
    head = b"".join([b"%b-%b\r\n" % (number, line) for line in found]) if found else b""
    return b"%b%b %b\r\n" % (head, number, last)


def fixed(code: int, status: str, *lines: str) -> Fixed:
    """Encode a reply that never changes."""
    return Fixed(
        encode(code, status, lines, enhanced=False),
        encode(code, status, lines, enhanced=True),
    )


for _row_of_hook in REPLIES.values():
    for _result, _cell in _row_of_hook.items():
        if _cell.code and "{" not in _cell.text:
            _lines = _cell.text.split("\n")
            _row_of_hook[_result] = _cell._replace(fixed=fixed(_cell.code, _cell.status, *_lines))
