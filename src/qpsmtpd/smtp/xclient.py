"""XCLIENT and XFORWARD, for clients that were given the right to speak for others."""

import re
from typing import TYPE_CHECKING, Final

from qpsmtpd.smtp.control import unrecognized
from qpsmtpd.smtp.peer import spelled
from qpsmtpd.smtp.reply import fixed

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script

__all__ = ["xclient", "xforward"]

_OK: Final = fixed(250, "2.0.0", "OK")
_SYNTAX: Final = fixed(501, "5.5.4", "Syntax: NAME=value ..., values as xtext")
_UNAVAILABLE: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_XTEXT: Final = re.compile(r"\+([0-9A-Fa-f]{2})")
_XCLIENT: Final = frozenset(
    {"NAME", "REVERSE_NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"}
)
_XFORWARD: Final = frozenset({"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"})


def _attributes(argument: bytes, known: frozenset[str]) -> dict[str, str] | None:
    """Read ``NAME=value …``; a value that is not available is "". None: malformed."""
    found: dict[str, str] = {}
    for word in filter(None, argument.decode("latin-1").split(" ")):
        name, equals, value = word.partition("=")
        name = name.upper()
        if not equals or name not in known or not value.isascii():
            return None
        text = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
        if not text.isprintable():
            return None
        found[name] = "" if text.upper() in _UNAVAILABLE else text
    return found or None


def _address(text: str) -> str | None:
    """Return an address in the spelling of ``remote_ip``; None when it is none."""
    return spelled(text[5:] if text.upper().startswith("IPV6:") else text)


def _port(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,5}", text) and int(text) < 65536 else None


def xclient(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve XCLIENT: from here on the client is who the proxy says, and is greeted anew."""
    connection = session.connection
    if "xclient" not in connection.rights:
        return (yield from unrecognized(session, verb, argument))
    found = _attributes(argument, _XCLIENT) or {}
    addresses = {name: _address(found[name]) for name in ("ADDR", "DESTADDR") if found.get(name)}
    ports = {name: _port(found[name]) for name in ("PORT", "DESTPORT") if found.get(name)}
    if not found or None in addresses.values() or None in ports.values():
        session.send(_SYNTAX)
        return False
    if not connection.move(addresses.get("ADDR") or connection.remote_ip, ports.get("PORT") or 0):
        return session.overcrowded()
    connection.forget()
    connection.remote_host = connection.remote_info = found.get("NAME", "")
    connection.local_ip = addresses.get("DESTADDR") or connection.local_ip
    connection.local_port = ports.get("DESTPORT") or connection.local_port
    connection.auth_user = found.get("LOGIN", "")
    connection.hello_host = found.get("HELO", "")
    return (yield from session.greet())


def xforward(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve XFORWARD: what a proxy knows of the original client, for the log."""
    if "xforward" not in session.connection.rights:
        return (yield from unrecognized(session, verb, argument))
    found = _attributes(argument, _XFORWARD)
    if found is None:
        session.send(_SYNTAX)
        return False
    session.connection.notes.setdefault("xforward", {}).update(found)
    session.send(_OK)
    return False
