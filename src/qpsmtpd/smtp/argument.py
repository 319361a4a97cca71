"""Arguments of MAIL and RCPT: ``FROM:<path> [parameters]`` (RFC 5321 §4.1.1.2, §4.1.1.3)."""

import re
from typing import Final, TypeAlias

__all__ = ["ArgumentError", "Envelope", "parse"]


class ArgumentError(ValueError):
    """An argument that cannot be read; its text goes to the client."""


#: an argument, taken apart: the path, with its angle brackets if the client sent them; and the
#: parameters, names in lower case, None without a value
Envelope: TypeAlias = tuple[str, dict[str, str | None]]


_WORDS: Final = {"mail": "from", "rcpt": "to"}
#: a path without quotes or blanks, which nearly all are
_PLAIN: Final = {
    verb: re.compile(rf"{word}:[ ]*(<[^ <>\"\\\t]*>)(?:[ \t]+(.*))?\Z", re.IGNORECASE | re.DOTALL)
    for verb, word in _WORDS.items()
}
_LEAD: Final = {verb: re.compile(rf"{word}:[ ]*", re.IGNORECASE) for verb, word in _WORDS.items()}
#: one parameter (§4.1.2 esmtp-param)
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\s\x00-\x1f\x7f]+))?\Z")
_SPACED_HOST: Final = re.compile(r"@[^\s\"]*\s")


def parse(verb: str, argument: str) -> Envelope:
    """Take the argument of MAIL or RCPT apart.

    Parameters are peeled off from the right, as qpsmtpd does, since a path may hold blanks.

    Args:
        verb: ``mail`` or ``rcpt``.
        argument: what stood behind the verb.

    Raises:
        ArgumentError: it does not follow the grammar; the text says in which part.
    """
    match = _PLAIN[verb].match(argument)
    if match:
        path, rest = match.groups()
        return path, _parameters(rest) if rest else {}
    if not argument:
        raise ArgumentError(f"could not parse your {verb} {_WORDS[verb]} command")
    lead = _LEAD[verb].match(argument)
    if not lead:
        raise ArgumentError("Syntax error in command")
    path, parameters = _peel(argument[lead.end() :])
    if _SPACED_HOST.search(path.rpartition('"')[2]):
        raise ArgumentError("Syntax error in parameters")
    if not path:
        if verb == "rcpt":
            raise ArgumentError("Syntax error in address")
        path = "<>"
    return path, parameters


def _peel(text: str) -> tuple[str, dict[str, str | None]]:
    """Part a path from the parameters behind it.

    Raises:
        ArgumentError: a parameter is there twice.
    """
    found: list[tuple[str, str | None]] = []
    quotes = text.count('"')
    end = len(text.rstrip(" \t"))
    while True:
        cut = max(text.rfind(" ", 0, end), text.rfind("\t", 0, end))
        match = _PARAMETER.match(text[cut + 1 : end]) if cut >= 0 else None
        if not match:
            break
        quotes -= match[0].count('"')
        head = len(text[:cut].rstrip(" \t"))
        if not head or quotes % 2:
            break  # nothing is in front, or a blank inside quotes, which parts nothing
        found.append((match[1].lower(), match[2]))
        end = head
    parameters = dict(reversed(found))
    if len(parameters) < len(found):
        raise ArgumentError("Syntax error in parameters")
    return text[:end], parameters


def _parameters(text: str) -> dict[str, str | None]:
    """Read ``KEYWORD[=value] …`` behind a plain path."""
    found: dict[str, str | None] = {}
    for word in filter(None, text.replace("\t", " ").split(" ")):
        match = _PARAMETER.match(word)
        if not match or match[1].lower() in found:
            raise ArgumentError("Syntax error in parameters")
        found[match[1].lower()] = match[2]
    return found
