"""Trace fields: Received (RFC 5321 §4.4) and Authentication-Results (RFC 8601).

Rule: text of clients and plugins comes into a trace field only through this module. Octets that
are no printable ASCII become ``?``, comments are escaped, lengths are bounded, and lines are
folded here.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from time import localtime, time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qpsmtpd.message.header import Header

__all__ = [
    "add_trace_fields",
    "authentication_results",
    "date",
    "hide_authentication_results",
    "property_value",
    "received_from",
    "received_lead",
    "tidy",
]

_RECEIVED: Final = "Received"
_RESULTS: Final = "Authentication-Results"
_ORIGINAL: Final = "Original-Authentication-Results"
#: as an authserv-id: neither write such fields nor touch those of others
_NONE: Final = frozenset({"", "none"})

#: columns of a line, RFC 5322 §2.1.1; a word may make it longer, but never longer than 998
_WIDTH: Final = 78
_MAX_WORD: Final = 255  #: characters of a name or address
_MAX_RESULT: Final = 900  #: characters of one method's result
_MAX_RESULTS: Final = 100  #: results in one field

_unprintable = re.compile(r"[^ -~]")
_not_in_word = re.compile(r"[^A-Za-z0-9.:@_+=/%~\[\]-]")
#: what nearly every client is called: four words that need no cleaning
_all_plain = re.compile(r"(?:[A-Za-z0-9.:@_\[\]-]{1,255}+(?: |\Z)){4}").fullmatch
_special = re.compile(r"[()\\]")
_path = re.compile(r"<[ -~]{1,512}>").fullmatch
#: text in which each quote and parenthesis is closed again; the marks (++) keep it linear
_QUOTED: Final = r'\\.|"(?:[^"\\]++|\\.)*"|\((?:[^()\\]++|\\.)*\)'
_balanced = re.compile(rf'(?:[^()"\\]++|{_QUOTED})*').fullmatch
_between_semicolons = re.compile(rf'(?:[^();"\\]++|{_QUOTED})+').findall
_bracket = re.compile(r'[()"\\]')
_plain_value = re.compile(r"[A-Za-z0-9!#$%&'*+^_`{|}~.-]+(?:@[A-Za-z0-9.-]+)?").fullmatch
_is_tidy = re.compile(r"[!-~][ -~]*(?:\n[ \t]+[!-~][ -~]*)*").fullmatch
_pieces = re.compile(r"\\.?|[()]|[^()\\]+", re.DOTALL).findall
_signed_fields = re.compile(r"(?:^|;)[ \t]*h[ \t]*=([^;]*)", re.IGNORECASE).findall

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def _word(text: str) -> str:
    """Clean what stands outside comments."""
    return _not_in_word.sub("?", text[:_MAX_WORD])


def _comment(text: str) -> str:
    """Clean and escape what stands in a comment."""
    return _special.sub(r"\\\g<0>", _unprintable.sub("?", text[:_MAX_WORD]))


#: of texts of our own, which are few
_own_word = lru_cache(maxsize=16)(_word)
_own_comment = lru_cache(maxsize=16)(_comment)


def _fold(text: str, column: int) -> str:
    """Break a line at blanks; unfolding gives it back.

    Args:
        text: a line without blanks around it.
        column: where it begins.
    """
    lines = []
    while column + len(text) > _WIDTH:
        begin = len(text) - len(text.lstrip(" ")) + 1
        room = _WIDTH - column + 1
        cut = text.rfind(" ", begin, room)
        if cut < 0:  # a long word: break behind it
            cut = text.find(" ", max(begin, room))
            if cut < 0:
                break
        lines.append(text[:cut])
        text, column = text[cut + 1 :], 1
    lines.append(text)
    return "\n ".join(lines)


def date(when: float | None = None) -> str:
    """Write a date-time in local time (RFC 5322 §3.3), whatever the locale.

    Args:
        when: seconds since the epoch; None for now.
    """
    return _date(int(time() if when is None else when))


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    now = localtime(second)
    offset = now.tm_gmtoff // 60
    sign = "-" if offset < 0 else "+"
    hours, minutes = divmod(abs(offset), 60)
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year:04} "
        f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} {sign}{hours:02}{minutes:02}"
    )


def received_lead(
    *,
    remote_info: str,
    hello_host: str,
    remote_ip: str,
    me: str,
    version: str = "",
    protocol: str = "SMTP",
    cipher: str = "",
) -> str:
    """Write what all Received values of one client have in common, in qpsmtpd's shape.

    Args:
        remote_info: ``ident@host`` or host of the client.
        hello_host: what the client said it is.
        remote_ip: its address.
        me: name of this host.
        version: of this program; "" is left out.
        protocol: how it came (RFC 3848): ``ESMTPSA``.
        cipher: of TLS; "" in the clear.

    Returns:
        The lines about the client, and one about us that is not folded yet.
    """
    remote_info, me = remote_info or "Unknown", me or "localhost"
    if not _all_plain(f"{remote_info} {hello_host} {remote_ip} {me}"):
        remote_info, me = _word(remote_info), _word(me)
        hello_host, remote_ip = _comment(hello_host), _comment(remote_ip)
    name = f"qpsmtpd/{_own_comment(version)}" if version else "qpsmtpd"
    source = _fold(f"from {remote_info} (HELO {hello_host}) ({remote_ip})", len(_RECEIVED) + 2)
    here = f"by {me} ({name}) with {_own_word(protocol)}"
    if cipher:
        here += f" ({_comment(cipher)} encrypted)"
    return f"{source}\n {here}"


def received_from(
    lead: str, transaction_id: str = "", recipient: str = "", when: float | None = None
) -> str:
    """Write the value of a Received field.

    Args:
        lead: from ``received_lead``.
        transaction_id: finds the message in the log; "" is left out.
        recipient: the path of the only recipient; "" when there are several, who are not to
            learn of one another. Left out too when it is not ASCII.
        when: seconds since the epoch; None for now.
    """
    source, _, here = lead.rpartition("\n ")
    if transaction_id:
        here += f" id {_word(transaction_id)}"
    if recipient and _path(recipient):
        here += f" for {recipient}"
    if len(here) + 2 > _WIDTH:
        here = _fold(here, 1)
    stamp = date(when)
    column = len(here) - here.rfind("\n") + 2
    gap = " " if column + len(stamp) <= _WIDTH else "\n "
    return f"{source}\n {here};{gap}{stamp}"


def property_value(text: str) -> str:
    """Write a value for Authentication-Results, quoted where RFC 8601 §2.2 asks for it."""
    text = _unprintable.sub("?", text[:_MAX_WORD])
    if _plain_value(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _separate(text: str) -> Iterable[str]:
    """Part results that a plugin joined with semicolons, and clean each.

    None can swallow the next: one that leaves a quote or comment open loses such marks.
    """
    text = _unprintable.sub("?", " ".join(text.split()))
    for part in _between_semicolons(text) if _balanced(text) else text.split(";"):
        piece = part.strip()[:_MAX_RESULT].rstrip()
        if piece:
            yield piece if _balanced(piece) else _bracket.sub("?", piece)


def authentication_results(
    authserv_id: str,
    results: Iterable[str] | str = (),
    *,
    authenticated: bool | None = None,
    mechanism: str = "",
    user: str = "",
) -> str:
    """Write the value of an Authentication-Results field; "" when there is to be none.

    Args:
        authserv_id: who says so (RFC 8601 §2.5); "" or "none" for no field.
        results: of plugins: ``spf=pass smtp.mailfrom=example.org``, in this order; one text may
            hold several, joined with semicolons.
        authenticated: result of AUTH; None when the client did not try.
        mechanism: of AUTH.
        user: who authenticated.
    """
    if authserv_id.lower() in _NONE:
        return ""
    if authenticated:
        found = [f"auth=pass ({_comment(mechanism)}) smtp.auth={property_value(user)}"]
    else:
        found = ["auth=none" if authenticated is None else "auth=fail"]
    for text in (results,) if isinstance(results, str) else results:
        found += _separate(text)
    return _fold("; ".join((_word(authserv_id), *found[:_MAX_RESULTS])), len(_RESULTS) + 2)


def tidy(text: str) -> str:
    """Turn a plugin's text into the value of a field: printable ASCII, each line continued."""
    if len(text) <= _MAX_RESULT and _is_tidy(text):
        return text
    lines = [_unprintable.sub("?", line.strip()) for line in text.splitlines()]
    return "\n ".join(_fold(line[:_MAX_RESULT], len(_RECEIVED) + 2) for line in lines if line)


def _claims(value: str, authserv_id: str) -> bool:
    """Tell whether a field says that *authserv_id* wrote it; one that cannot be read does."""
    depth = 0
    words = []
    for piece in _pieces(value):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif not depth:
            words.append(piece.removeprefix("\\"))
    name = "".join(words).replace('"', "").partition(";")[0].split()
    return depth > 0 or name[:1] == [authserv_id.lower()] or not name


def _signed(header: "Header") -> bool:
    """Tell whether a DKIM signature covers the results of others (RFC 6376 §3.5, tag h)."""
    wanted = _RESULTS.lower()
    return any(
        wanted == name.strip().lower()
        for signature in header.get_all("DKIM-Signature")
        for names in _signed_fields(signature)
        for name in names.split(":")
    )


def hide_authentication_results(header: "Header", authserv_id: str) -> int:
    """Rename the results others wrote to Original-Authentication-Results; returns how many.

    Results that a DKIM signature covers stay, or the signature would break. Those that claim to
    be ours never do (RFC 8601 §5): anybody can sign a forged one.
    """
    if not header.may_hold(_RESULTS.lower().encode("ascii")):
        return 0
    if not _signed(header):
        return header.rename(_RESULTS, _ORIGINAL)
    forged = [
        field
        for field in header
        if field.name.lower() == _RESULTS.lower() and _claims(field.value.lower(), authserv_id)
    ]
    return header.rename_fields(forged, _ORIGINAL)


def add_trace_fields(
    header: "Header", received_value: str, results_value: str = "", *, authserv_id: str = ""
) -> None:
    """Put our trace fields on top, after hiding the results others wrote.

    Args:
        header: of the message.
        received_value: from ``received_from``, or a plugin's text that was tidied.
        results_value: from ``authentication_results``; "" adds none.
        authserv_id: ours; "" or "none" leaves results of others alone.
    """
    if authserv_id.lower() not in _NONE:
        hide_authentication_results(header, authserv_id)
    results = f"{_RESULTS}: {results_value}\n" if results_value else ""
    header.prepend(f"{results}{_RECEIVED}: {received_value}\n".encode("ascii"))
