"""Values by type: from the text of a carrier to what ``Config.get`` returns."""

import re
from collections.abc import Callable
from typing import Any, Final

from qpsmtpd.config.control import Content
from qpsmtpd.config.networks import Networks
from qpsmtpd.config.plugin_line import plugin_lines
from qpsmtpd.config.schema import LISTENER_OPTIONS, Setting, Type, nearest
from qpsmtpd.constants import LogLevel, log_level

__all__ = ["duration", "flag", "number", "pairs", "read", "size"]

_FLAGS: Final = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}
_OCTETS: Final = {
    f"{unit}{tail}": 1 << (10 * power)
    for power, unit in enumerate(("", "k", "m", "g", "t"))
    for tail in (("", "b", "ib") if unit else ("", "b"))
}
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DIGITS: Final = "0123456789."
#: compiled when it is needed: most of what is listened on stands on a command line
_ADDRESS: Final = r"unix:/\S+|systemd(?::\S+)?|(?:\[[^][\s]+\]|[\w.-]+)(?::(\d{1,5}))?"


def flag(text: str) -> bool:
    """Read yes or no.

    Raises:
        ValueError: it is neither.
    """
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither 1 (yes) nor 0 (no)") from None


def number(text: str) -> int:
    """Read a whole number that is not negative.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"{text!r} is no number; write digits only")
    return int(text)


def size(text: str) -> int:
    """Read a number of octets.

    Raises:
        ValueError: it is none.
    """
    count, rest = _cut(text.lower(), _DIGITS)
    octets = _OCTETS.get(rest.lstrip(" "))
    if octets is None or not _is_decimal(count):
        raise ValueError(f"{text!r} is no size; write octets, or 500K, 50M, 2G")
    return round(float(count) * octets) if "." in count else int(count) * octets


def duration(text: str) -> float:
    """Read a length of time, in seconds.

    Raises:
        ValueError: it is none.
    """
    rest = text.lower()
    if _is_decimal(rest):
        return float(rest)
    total = 0.0
    while True:
        count, rest = _cut(rest, _DIGITS)
        unit, rest = _cut(rest.lstrip(" "), "mshdw")
        if unit not in _SECONDS or not _is_decimal(count):
            raise ValueError(f"{text!r} is no length of time; write seconds, or 50ms, 20m, 1h30m")
        total += float(count) * _SECONDS[unit]
        rest = rest.lstrip(" ")
        if not rest:
            return total


def _cut(text: str, characters: str) -> tuple[str, str]:
    """Cut behind the characters a text begins with."""
    rest = text.lstrip(characters)
    return text[: len(text) - len(rest)], rest


def _is_decimal(text: str) -> bool:
    """True for ``5`` and ``0.5``, of a length that means something."""
    whole, dot, part = text.partition(".")
    digits = whole + part
    there = bool(whole) and bool(part) == bool(dot)
    return there and digits.isascii() and digits.isdigit() and len(digits) < 19


def _level(text: str) -> LogLevel:
    try:
        return log_level(text)
    except ValueError:
        raise ValueError(f"{text!r} is no log level; write 0 to 7, or LOGWARN") from None


def _mode(text: str) -> int:
    try:
        found = int(text, 8)
    except ValueError:
        found = -1
    if not 0 <= found <= 0o7777:
        raise ValueError(f"{text!r} are no permissions; write them in octal, as 0700")
    return found


def _same(text: str) -> str:
    return text


_SCALARS: Final[dict[Type, Callable[[str], Any]]] = {
    Type.LINE: _same,
    Type.PATH: _same,
    Type.CHOICE: _same,
    Type.FLAG: flag,
    Type.NUMBER: number,
    Type.SIZE: size,
    Type.DURATION: duration,
    Type.LEVEL: _level,
    Type.MODE: _mode,
}


def read(setting: Setting, content: Content) -> Any:
    """Make the value of a setting.

    Args:
        setting: its row; the type decides.
        content: at least one text for types that go by the first line.

    Raises:
        ConfigError: a text cannot be read; with its place.
    """
    if setting.type in _SCALARS:
        try:
            return _scalar(setting, content.texts[0])
        except ValueError as error:
            raise content.error(0, f"{setting.name}: {error}") from None
    if setting.type is Type.WORDS:
        return _words(setting, content)
    return _LISTS[setting.type](content)


def _scalar(setting: Setting, text: str) -> Any:
    """Read one text, and hold it against the row."""
    if not text.replace("\t", " ").isprintable():
        raise ValueError(f"{text!a} holds a character that cannot be shown; take it out")
    if setting.choices and text not in setting.choices:
        raise ValueError(f"{text!r} is unknown; write {' or '.join(setting.choices)}")
    found = _SCALARS[setting.type](text)
    if isinstance(found, int):
        if found < setting.least:
            raise ValueError(f"{text} is too small; {setting.least} is the least")
        if setting.most is not None and found > setting.most:
            raise ValueError(f"{text} is too large; {setting.most} is the most")
    return found


def _lines(content: Content) -> list[str]:
    return content.texts


def _words(setting: Setting, content: Content) -> list[str]:
    for index, text in enumerate(content.texts):
        if text.upper() not in setting.choices:
            known = ", ".join(setting.choices)
            raise content.error(index, f"{setting.name}: {text!r} is none of {known}")
    return content.texts


def _servers(content: Content) -> list[str]:
    """Hold DNS servers against the grammar; what asks them reads them for good."""
    from ipaddress import ip_address  # noqa: PLC0415 - 6 ms, and only where servers are named

    for index, text in enumerate(content.texts):
        host, port = _parted(text)
        try:
            ip_address(host)
            known = 0 < number(port) < 65536
        except ValueError:
            known = False
        if not known:
            complaint = f"{text!r} is no DNS server; write an IP address, or [address]:port"
            raise content.error(index, complaint)
    return content.texts


def _parted(text: str) -> tuple[str, str]:
    """Part the port from an address, which may be in brackets."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        return (host if bracket else ""), port.removeprefix(":") or "53"
    host, colon, port = text.partition(":")
    return (host, port) if colon and ":" not in port else (text, "53")


def _networks(content: Content) -> Networks:
    for index, text in enumerate(content.texts):
        if text != "unix":
            try:
                Networks((text,))
            except ValueError as error:
                raise content.error(index, str(error)) from None
    return Networks(content.texts)


def _listeners(content: Content) -> list[str]:
    """Hold addresses against the grammar; what reads them for good opens them."""
    for index, text in enumerate(content.texts):
        complaint = _objection(text)
        if complaint:
            raise content.error(index, complaint)
    return content.texts


def _objection(text: str) -> str:
    """Say what is wrong with an address to listen on; "" when it is well."""
    address, *options = text.split() or [text]
    found = re.fullmatch(_ADDRESS, address, re.ASCII)
    if found is None or int(found[1] or 0) > 65535:
        return f"cannot read the address {address!r}; write host:port, [ipv6]:port or unix:/path"
    for option in options:
        name, sign, value = option.partition("=")
        if name not in LISTENER_OPTIONS:
            return f"unknown option {name!r} of a listener{nearest(name, LISTENER_OPTIONS)}"
        if LISTENER_OPTIONS[name] != bool(value) or bool(sign) != bool(value):
            form = f"{name}=…" if LISTENER_OPTIONS[name] else name
            return f"option {option!r} of a listener is written {form}"
    return ""


def pairs(texts: list[str]) -> dict[str, str]:
    """Read a map from text: a key and, behind white space, its value; the first of equals."""
    found: dict[str, str] = {}
    for text in texts:
        key, _, rest = text.replace("\t", " ").partition(" ")
        found.setdefault(key, rest.strip())
    return found


def _map(content: Content) -> dict[str, str]:
    return pairs(content.texts)


_LISTS: Final[dict[Type, Callable[[Content], Any]]] = {
    Type.LINES: _lines,
    Type.ADDRESSES: _networks,
    Type.LISTENERS: _listeners,
    Type.SERVERS: _servers,
    Type.PLUGINS: plugin_lines,
    Type.MAP: _map,
    Type.FILES: _lines,
}
