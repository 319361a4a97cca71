"""The configuration to start with: takes mail for this host, from anybody, into a maildir."""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH103, PTH118, PTH123

import os
import textwrap
from typing import TYPE_CHECKING, Final

from qpsmtpd.config.carriers import TOML
from qpsmtpd.config.schema import SETTINGS, Setting, Table, Type
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["files", "write"]

_PLUGINS: Final = """\
# The plugins of this server, in the order they are asked: a plugin on each line, then its
# arguments. Lines that begin with # count for nothing. A change needs a reload.

# Clients listed in hosts_allow are refused or passed; too many connections of one are refused.
hosts_allow

# Clients listed in relayclients may send mail to anywhere. Those below leave such clients alone.
relay

# All others have to wait for the greeting.
earlytalker

# Clients that talk nonsense, or nothing but NOOP, are sent away.
count_unrecognized_commands 4
noop_counter

# Recipients in domains of rcpthosts are taken, all others refused. The last one about recipients.
rcpt_ok

# Where messages go. The client is told that all is well when the file is safe on disk.
queue/maildir {maildir}
"""

_RCPTHOSTS: Final = """\
# Domains to take mail for; .example.org stands for all domains below example.org.
{hosts}
"""

_RELAYCLIENTS: Final = """\
# Clients that may send mail to anywhere: 192.0.2.1, 192.0.2., 192.0.2.0/24, 2001:db8::/32
127.0.0.1
"""

_ME: Final = """\
# Name of this host, in replies and trace fields.
{me}
"""

_TOML: Final = """\
# Settings of qpsmtpd with their defaults. Take away the # in front of one to change it.
# Each can be a control file instead, of the same name, with one value on each line;
# plugins, me, rcpthosts and relayclients are such files here.
"""


def files(*, me: str, maildir: str) -> dict[str, str]:
    """Make the configuration.

    Args:
        me: name of this host.
        maildir: absolute path of the maildir for all messages.

    Returns:
        Contents by name of the file.

    Raises:
        ConfigError: a name or path cannot stand in a control file.
    """
    for text in (me, maildir):
        if text.split() != [text] or not text.isprintable() or text.startswith(("#", "$")):
            raise ConfigError(f"{text!r} cannot be used; take one without white space")
    if not maildir.isascii():
        raise ConfigError(f"{maildir!r} cannot be used; plugin lines hold ASCII only")
    return {
        "me": _ME.format(me=me),
        "plugins": _PLUGINS.format(maildir=maildir),
        "rcpthosts": _RCPTHOSTS.format(hosts="\n".join(dict.fromkeys(("localhost", me)))),
        "relayclients": _RELAYCLIENTS,
        TOML: _TOML + "".join(map(_table, Table)),
    }


def write(directory: str, *, me: str, maildir: str) -> list[str]:
    """Write the configuration to a directory, which is made if it is not there.

    Args:
        directory: where to.
        me: name of this host.
        maildir: absolute path of the maildir for all messages.

    Returns:
        Paths of the files.

    Raises:
        ConfigError: one of them exists; then nothing was written. Or a name cannot be used.
        OSError: they cannot be written.
    """
    contents = files(me=me, maildir=maildir)
    paths = {name: os.path.join(directory, name) for name in contents}
    for path in paths.values():
        if os.path.lexists(path):
            raise ConfigError("is there already; nothing was written", file=path)
    os.makedirs(directory, exist_ok=True)
    for name, content in contents.items():
        with open(paths[name], "x", encoding="utf-8") as file:
            file.write(content)
    return list(paths.values())


def _table(table: Table) -> str:
    """Describe the settings of one table."""
    settings: Iterable[Setting] = (
        setting
        for setting in SETTINGS.values()
        if setting.table is table and not setting.owner and setting.name not in {"me", "IP"}
    )
    return f"\n[{table.value}]\n" + "".join(map(_row, settings))


def _row(setting: Setting) -> str:
    """Describe one setting."""
    if setting.name == "plugins":
        return ""
    words = setting.summary
    if setting.choices:
        words += f" {'Any' if setting.type.several else 'One'} of: {', '.join(setting.choices)}."
    comment = textwrap.fill(words, 95, initial_indent="# ", subsequent_indent="# ")
    return f"\n{comment}\n# {setting.name} = {_default(setting)}\n"


def _default(setting: Setting) -> str:
    """Write the default; "" and [] stand for nothing."""
    lines = setting.default_lines
    if setting.type.several:
        return "[]"
    plain = bool(lines) and setting.type in {Type.NUMBER, Type.LEVEL, Type.FLAG}
    return lines[0] if plain else f'"{lines[0] if lines else ""}"'
