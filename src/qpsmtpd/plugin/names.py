"""Names of plugins, as lines have them and as the log has them."""

import re
from typing import Final, NamedTuple

from qpsmtpd.errors import ConfigError

__all__ = ["Name", "read_name", "registered_name"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_/]")
_SLASH: Final = re.compile(r"/+([0-9]?)")
_INSTANCE: Final = re.compile(r"(.+):([0-9]+)", re.DOTALL)
_CLASS: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)
_ESCAPED: Final = re.compile(r"_([0-9a-f]{2})")


class Name(NamedTuple):
    """What a line calls its plugin."""

    registered: str  #: as log, results and the hooks ok and deny have it
    path: str  #: ``queue/qmail-queue``, without instance; "" for a class of a module
    module: str = ""  #: ``package.module``, if the line names a class
    attribute: str = ""  #: name of the class


def registered_name(name: str) -> str:
    """Escape a name as qpsmtpd does: ``queue/qmail-queue`` is ``queue::qmail_2dqueue``.

    Characters other than ASCII letters, digits, ``_`` and ``/`` become ``_`` and two hexadecimal
    digits for each octet of UTF-8; slashes become ``::``, and so does a digit behind them.
    """

    def octets(found: re.Match[str]) -> str:
        return "".join(f"_{octet:02x}" for octet in found[0].encode("utf-8", "surrogateescape"))

    def separator(found: re.Match[str]) -> str:
        return "::" + (f"_{ord(found[1]):02x}" if found[1] else "")

    return _SLASH.sub(separator, _UNSAFE.sub(octets, name))


def read_name(text: str) -> Name:
    """Read the first word of a line.

    Forms: ``dir/name``, ``dir/name:2`` for a further instance, ``package.module:Class``.

    Raises:
        ConfigError: it is none of them.
    """
    found = _INSTANCE.fullmatch(text)
    path = found[1] if found else text
    if not path.isascii() or not path.isprintable():
        raise ConfigError(f"unsafe characters in plugin name {text!r}")
    if "::" in path:
        raise ConfigError(_perl(path))
    found = _CLASS.fullmatch(path)
    if found:
        return Name(registered_name(text), "", found[1], found[2])
    parts = path.split("/")
    if path.startswith("/") or {"..", ".", ""} & set(parts):
        raise ConfigError(
            f"plugin name {text!r} is no name below a plugin directory; "
            "name its directory in the setting plugin_dirs, and the file alone here"
        )
    return Name(registered_name(text), path)


def _perl(path: str) -> str:
    """Say what to write for a name with ``::``, of a Perl module or out of the log."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), path).replace("::", "/")
    package, _, last = path.replace("::", ".").rpartition(".")
    return (
        f"plugin name {path!r} is that of a Perl module; for a class of a Python package write "
        f"{package.lower()}:{last}, for a plugin file {plain}"
    )
