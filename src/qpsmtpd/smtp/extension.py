"""EHLO keywords, and the MAIL and RCPT parameters each of them brings.

Rule: what is offered, what a parameter may look like and which extension it belongs to stand in
the tables of this module and nowhere else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from qpsmtpd.smtp.reply import Fixed, encode, encode_line, fixed

__all__ = ["KEYWORDS", "MAIL_PARAMETERS", "RCPT_PARAMETERS", "Extensions", "Parameter"]


class Parameter(NamedTuple):
    """A parameter of MAIL or RCPT."""

    keyword: str  #: the EHLO keyword that brings it
    value: re.Pattern[str] | None  #: what its value must match as a whole; None: it has none
    rfc: str


#: EHLO keywords the session itself understands, in the order they are offered
KEYWORDS: Final = {
    "PIPELINING": "RFC 2920",
    "8BITMIME": "RFC 6152",
    "SIZE": "RFC 1870",
    "ENHANCEDSTATUSCODES": "RFC 2034",
    "SMTPUTF8": "RFC 6531",
    "CHUNKING": "RFC 3030",
    "BINARYMIME": "RFC 3030",
    "DSN": "RFC 3461",
    "LIMITS": "RFC 9422",
}

_XTEXT: Final = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})"


def _is(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


MAIL_PARAMETERS: Final = {
    "size": Parameter("SIZE", _is(r"[0-9]{1,20}"), "RFC 1870 §3"),
    "body": Parameter("8BITMIME", _is("7BIT|8BITMIME|BINARYMIME"), "RFC 6152 §3, RFC 3030 §3"),
    "smtputf8": Parameter("SMTPUTF8", None, "RFC 6531 §3.4"),
    "ret": Parameter("DSN", _is("FULL|HDRS"), "RFC 3461 §4.3"),
    "envid": Parameter("DSN", _is(_XTEXT + "{1,100}"), "RFC 3461 §4.4"),
    "auth": Parameter("AUTH", _is(f"<>|{_XTEXT}{{1,500}}"), "RFC 4954 §5"),
}
RCPT_PARAMETERS: Final = {
    "notify": Parameter(
        "DSN",
        _is("NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}"),
        "RFC 3461 §4.1",
    ),
    # utf-8 addresses come as they are (RFC 6533 §3)
    "orcpt": Parameter(
        "DSN", re.compile(r"[A-Za-z0-9.-]+;[^\s\x00-\x1f\x7f=]{1,500}"), "RFC 3461 §4.2"
    ),
}


class Extensions:
    """What EHLO offers under given settings, and which parameters are valid then."""

    __slots__ = ("_lines", "_tail", "keywords")

    def __init__(
        self, databytes: int, max_recipients: int, max_messages: int, disabled: Iterable[str]
    ) -> None:
        """Work the offer out once.

        Args:
            databytes: largest message taken, octets; 0 for no limit.
            max_recipients: recipients of one message; 0 for no limit.
            max_messages: messages in one session; 0 for no limit.
            disabled: keywords not to offer.
        """
        limits = [f"RCPTMAX={max_recipients}"] if max_recipients else []
        limits += [f"MAILMAX={max_messages}"] if max_messages else []
        values = {"SIZE": str(databytes) if databytes else "", "LIMITS": " ".join(limits)}
        off = {word.upper() for word in disabled}
        if "CHUNKING" in off:
            off.add("BINARYMIME")  # it can only come in chunks
        if not limits:
            off.add("LIMITS")
        self.keywords = frozenset(KEYWORDS.keys() - off)
        self._lines = tuple(
            f"{word} {values.get(word, '')}".rstrip() for word in KEYWORDS if word not in off
        )
        self._tail = encode(250, "", ("", *self._lines), enhanced=False).partition(b"\r\n")[2]

    def reply(self, hello: str, more: Iterable[str]) -> bytes:
        """Write the reply to EHLO.

        Args:
            hello: its first line.
            more: keywords offered by plugins, XCLIENT and so on.
        """
        more = tuple(more)
        line = encode_line(250, "", hello, enhanced=False)
        if line and self._lines and not more:
            return b"250-" + line[4:] + self._tail
        if more:
            return encode(250, "", (hello, *self._lines, *more), enhanced=False)
        head = encode(250, "", (hello, "") if self._lines else (hello,), enhanced=False)
        return head[: -len(b"250 \r\n")] + self._tail if self._lines else head

    def objection(
        self,
        parameters: Mapping[str, str | None],
        table: Mapping[str, Parameter],
        offered: Iterable[str],
    ) -> Fixed | None:
        """Say what is wrong with the parameters of MAIL or RCPT.

        Args:
            parameters: keywords in lower case, with their values.
            table: ``MAIL_PARAMETERS`` or ``RCPT_PARAMETERS``.
            offered: capability lines of plugins, whose parameters are theirs to check.

        Returns:
            The refusal, or None when they are well.
        """
        theirs: set[str] | None = None
        for name, value in parameters.items():
            known = table.get(name)
            if known is not None and (known.keyword in self.keywords or name == "auth"):
                if known.value is None:
                    good = value is None
                else:
                    good = value is not None and known.value.fullmatch(value) is not None
                if not good:
                    return fixed(501, "5.5.4", f"Bad value of parameter {name.upper()}")
            else:
                theirs = theirs or {line.split(" ")[0].lower() for line in offered}
                if name not in theirs:
                    return fixed(555, "5.5.4", f"Unknown parameter {name.upper()}")
        if (parameters.get("body") or "").upper() == "BINARYMIME":
            return None if "BINARYMIME" in self.keywords else _NO_BINARY
        return None


_NO_BINARY: Final = fixed(501, "5.6.1", "BINARYMIME is not offered here")
