"""What a row of the settings table says."""

from enum import Enum
from typing import Final, NamedTuple

__all__ = ["Setting", "Table", "Type"]


class Type(Enum):
    """What a setting holds, and what ``Config.get`` makes of it."""

    LINE = "line"  #: the first line: str
    LINES = "lines"  #: every line: list[str]
    FLAG = "flag"  #: 1 or 0, yes or no, true or false, on or off: bool
    NUMBER = "number"  #: int, not negative
    SIZE = "size"  #: octets, ``10k``, ``50M``: int
    DURATION = "duration"  #: seconds, ``20m``, ``1h30m``, ``50ms``: float
    LEVEL = "level"  #: a log level by name or number: LogLevel
    MODE = "mode"  #: octal permissions: int
    CHOICE = "choice"  #: one of ``choices``: str
    PATH = "path"  #: str
    ADDRESSES = "addresses"  #: addresses, beginnings of addresses, networks: Networks
    LISTENERS = "listeners"  #: addresses to listen on with their options: list[str]
    PLUGINS = "plugins"  #: names of plugins with their arguments: list[PluginLine]
    SERVERS = "servers"  #: DNS servers, ``192.0.2.1`` or ``[2001:db8::1]:5353``: list[str]
    WORDS = "words"  #: any of ``choices``, in any case of letters: list[str]
    MAP = "map"  #: keys with or without a value, as text or constant database: Mapping[str, str]
    FILES = "files"  #: a directory that its plugin reads by itself: path of it, or None

    @property
    def several(self) -> bool:
        """True where every line counts, not only the first."""
        return self in _SEVERAL


_SEVERAL: Final = {
    *(Type.LINES, Type.ADDRESSES, Type.LISTENERS, Type.SERVERS, Type.WORDS),
    *(Type.PLUGINS, Type.MAP),
}


class Table(Enum):
    """Where ``qpsmtpd.toml`` has a setting."""

    SETTINGS = "settings"  #: what sessions and plugins go by
    SERVER = "server"  #: what processes and sockets go by


class Setting(NamedTuple):
    """One row of the table."""

    name: str  #: also the name of its control file
    type: Type
    default: str | tuple[str, ...] | None
    summary: str  #: one sentence for people
    owner: str = ""  #: the plugin whose setting it is; "" for qpsmtpd itself
    reload: bool = False  #: True: a change needs a reload; False: new connections go by it
    table: Table = Table.SETTINGS
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    early: bool = False  #: needed before a plugin can answer: comes from files only
    secret: bool = False  #: not shown to whoever looks over the shoulder

    @property
    def default_lines(self) -> tuple[str, ...]:
        """The default as lines of a control file."""
        if self.default is None:
            return ()
        return (self.default,) if isinstance(self.default, str) else self.default
