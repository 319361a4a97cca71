"""``qpsmtpd.toml``: the same settings in one file.

``[server]`` and ``[settings]`` hold settings, each ``[[plugin]]`` a line of ``plugins`` and each
``[[listener]]`` a line of ``listen``. Everything becomes the text that a control file would have,
so that both carriers are read by the same rules.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from qpsmtpd.config.control import Content
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.schema import LISTENER_OPTIONS, SETTINGS, Setting, Table, Type, nearest
from qpsmtpd.errors import ConfigError

__all__ = ["Document", "read"]

_TABLES: Final = {table.value: table for table in Table}
_ARRAYS: Final = ("plugin", "listener")
#: settings that have tables of their own
_APART: Final = {"plugins": "[[plugin]] tables"}

_HEADER: Final = re.compile(r"\s*\[\[?\s*([^]]*?)\s*\]")
_KEY: Final = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([\w-]+))\s*=")
_WHERE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


class Document(NamedTuple):
    """What the file says."""

    path: str
    values: Mapping[str, Content]
    problems: list[Problem]


class _Lines:
    """Line numbers, which the parser does not tell: found by looking for headers and keys.

    Good for files as people write them; a dotted key or an inline table has no number.
    """

    __slots__ = ("_found",)

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str, int, str], int] = {}
        table, counts = "", dict.fromkeys(_ARRAYS, -1)
        for number, line in enumerate(text.split("\n"), 1):
            if header := _HEADER.match(line):
                table = header[1]
                if table in counts:
                    counts[table] += 1
                self._found.setdefault((table, counts.get(table, 0), ""), number)
            elif key := _KEY.match(line):
                name = key[1] or key[2] or key[3]
                self._found.setdefault((table, counts.get(table, 0), name), number)

    def find(self, table: str, key: str = "", index: int = 0) -> int:
        """Look up where a key is; a key of "" is the header of the table."""
        return self._found.get((table, index, key), 0)


def read(path: str, data: bytes) -> Document:
    """Read the file.

    Args:
        path: its name, for messages.
        data: its octets.

    Returns:
        The settings it defines, and everything that is wrong with it.

    Raises:
        ConfigError: it is no TOML.
    """
    import tomllib  # noqa: PLC0415 - most installations have no such file

    try:
        text = data.decode()
        parsed = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8; TOML has to be", file=path, line=line) from None
    except tomllib.TOMLDecodeError as error:
        where = _WHERE.search(str(error))
        line = int(where[1]) if where and where[1] else data.count(b"\n") + 1
        message = _WHERE.sub("", str(error))
        raise ConfigError(f"is no TOML: {message}", file=path, line=line) from None
    reader = _Reader(path, _Lines(text))
    reader.document(parsed)
    return Document(path, reader.values, reader.problems)


class _Reader:
    """One reading."""

    __slots__ = ("lines", "path", "problems", "values")

    def __init__(self, path: str, lines: _Lines) -> None:
        self.path = path
        self.lines = lines
        self.values: dict[str, Content] = {}
        self.problems: list[Problem] = []

    def document(self, parsed: dict[str, Any]) -> None:
        """Read all tables."""
        for name, value in parsed.items():
            if name in _TABLES and isinstance(value, dict):
                for key, inner in value.items():
                    self.setting(_TABLES[name], key, inner)
            elif name in _ARRAYS and _is_array(value):
                for index, entry in enumerate(value):
                    self.entry(name, index, entry)
            else:
                self.complain(self.lines.find("", name) or self.lines.find(name), _stray(name))

    def complain(self, line: int, text: str) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(text, self.path, line or None))

    def setting(self, table: Table, name: str, value: object) -> None:
        """Read one key of [server] or [settings]."""
        line = self.lines.find(table.value, name) or self.lines.find(f"{table.value}.{name}")
        setting = SETTINGS.get(name)
        if setting is None:
            self.complain(line, f"unknown setting {name}{nearest(name, SETTINGS)}")
        elif name in _APART:
            self.complain(line, f"{name} is written as {_APART[name]}")
        elif setting.type is Type.FILES:
            self.complain(line, f"{name} is read by its plugin and cannot stand here")
        elif setting.table is not table:
            self.complain(line, f"{name} belongs into [{setting.table.value}]")
        else:
            try:
                texts = _texts(setting, value)
            except ValueError as error:
                self.complain(line, f"{name}: {error}")
            else:
                self.add(name, texts, line)

    def add(self, name: str, texts: list[str], line: int) -> None:
        """Keep values of a setting."""
        if texts:
            content = self.values.setdefault(name, Content())
            for text in texts:
                content.add(text, self.path, line)

    def entry(self, table: str, index: int, entry: dict[str, Any]) -> None:
        """Read one [[plugin]] or [[listener]]."""
        line = self.lines.find(table, index=index)
        try:
            if table == "plugin":
                words = _plugin(entry)
                self.add("plugins", [" ".join(words)], line)
                content = self.values["plugins"]
                content.words = [*(content.words or ()), words]
            else:
                self.add("listen", [_listener(entry)], line)
        except _KeyedError as error:
            place = self.lines.find(table, error.key, index) or line
            self.complain(place, f"[[{table}]]: {error}")


class _KeyedError(ValueError):
    """Something wrong with one key."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def _is_array(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _stray(name: str) -> str:
    """Say where a key belongs that stands at the top."""
    if name in _TABLES:
        return f"{name} is a table, written [{name}]"
    if name in _ARRAYS:
        return f"{name} is written as [[{name}]] tables"
    if name in SETTINGS:
        return f"{name} belongs into {_APART.get(name) or f'[{SETTINGS[name].table.value}]'}"
    return f"unknown key {name}{nearest(name, (*_TABLES, *_ARRAYS, *SETTINGS))}"


def _texts(setting: Setting, value: object) -> list[str]:
    """Write a value as lines of a control file.

    Raises:
        ValueError: it cannot be the value of that setting.
    """
    if isinstance(value, dict):
        if setting.type is not Type.MAP:
            raise ValueError("is no table; write a value")
        found = [f"{key} {_text(setting, inner)}".rstrip() for key, inner in value.items()]
        if any(not key or key.split() != [key] for key in value):
            raise ValueError("keys cannot hold white space")
        return found
    if isinstance(value, list):
        if not setting.type.several:
            raise ValueError("takes one value, not a list")
        return [text for text in (_text(setting, entry) for entry in value) if text]
    text = _text(setting, value)
    return [text] if text else []


def _text(setting: Setting, value: object) -> str:
    """Write one value."""
    if isinstance(value, bool) and setting.type in {Type.NUMBER, Type.SIZE, Type.DURATION}:
        raise ValueError(f"takes a {setting.type.value}, not true or false")
    if setting.type is Type.MODE and not isinstance(value, str):
        raise ValueError('write permissions as text, as "0700"')
    return _scalar(value)


def _scalar(value: object) -> str:
    """Write a text, number or truth value."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        if "\n" in value or "\r" in value or "\0" in value:
            raise ValueError("holds a line break; write a list of values")
        return value.strip()
    raise ValueError(f"takes a text or number, not a {type(value).__name__}")


def _plugin(entry: dict[str, Any]) -> list[str]:
    """Write the words of a line of ``plugins``: the name, ``args``, then keys with values."""
    name = entry.get("name")
    if not isinstance(name, str) or name.split() != [name]:
        raise _KeyedError("name", 'has no name; write name = "rcpt_ok"')
    words = [name]
    for key, value in entry.items():
        if key != "name":
            try:
                words.extend(_words(key, value))
            except ValueError as error:
                raise _KeyedError(key, f"{key}: {error}") from None
    for word in words:
        if not word.isascii() or not word.isprintable():
            raise _KeyedError("name", f"unsafe characters in {word!a}; ASCII only")
    return words


def _words(key: str, value: object) -> Iterator[str]:
    """Write an argument; a list repeats it. Words of ``args`` stand without a key."""
    for entry in value if isinstance(value, list) else [value]:
        if key != "args":
            yield key
        yield _scalar(entry)


def _listener(entry: dict[str, Any]) -> str:
    """Write a line of ``listen``."""
    address = entry.get("address")
    if not isinstance(address, str) or address.split() != [address]:
        raise _KeyedError("address", 'has no address; write address = "[::]:25"')
    words = [address]
    for key, value in entry.items():
        if key == "address":
            continue
        if key not in LISTENER_OPTIONS:
            known = ("address", *LISTENER_OPTIONS)
            raise _KeyedError(key, f"unknown key {key}{nearest(key, known)}")
        if not LISTENER_OPTIONS[key]:
            if not isinstance(value, bool):
                raise _KeyedError(key, f"{key} takes true or false")
            if value:
                words.append(key)
        elif isinstance(value, str) and value.split() == [value]:
            words.append(f"{key}={value}")
        else:
            raise _KeyedError(key, f"{key} takes a text without white space")
    return " ".join(words)
