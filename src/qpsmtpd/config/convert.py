"""From one carrier to the other. Values survive; comments, order of files and $include do not."""

import json
import re
from typing import TYPE_CHECKING, Final

from qpsmtpd.config.control import Place
from qpsmtpd.config.plugin_line import PluginLine
from qpsmtpd.config.schema import SETTINGS, Setting, Table, Type
from qpsmtpd.config.value import pairs
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.config.lookup import Config

__all__ = ["left_out", "quote", "to_control", "to_toml"]

_KEY: Final = re.compile(r"[a-z][a-z0-9_-]*", re.ASCII)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def to_toml(config: "Config") -> str:
    """Write what is set as ``qpsmtpd.toml``.

    Raises:
        ConfigError: something that is set cannot be used.
    """
    maps: list[str] = []
    parts: list[str] = []
    for table in Table:
        rows: list[str] = []
        for setting in SETTINGS.values():
            texts = _texts(config, setting)
            if setting.table is not table or not texts or setting.name == "plugins":
                continue
            if setting.type is Type.MAP:
                maps.append(_map(setting, texts))
            else:
                rows.append(f"{_key(setting.name)} = {_value(setting, texts)}\n")
        if rows:
            parts.append(f"[{table.value}]\n" + "".join(rows))
    parts.extend(maps)
    parts.extend(map(_plugin, config.plugin_lines("plugins")))
    return "\n".join(parts)


def to_control(config: "Config") -> dict[str, str]:
    """Write what is set as control files.

    Returns:
        Contents by name of the file.

    Raises:
        ConfigError: something that is set cannot be used, or cannot stand in a control file.
    """
    files = {}
    for setting in SETTINGS.values():
        texts = _texts(config, setting)
        if texts:
            places = [place for _, place in config.origins(setting.name)]
            if setting.type is Type.PLUGINS:
                for line in config.plugin_lines(setting.name):
                    _insist_words(line)
            for text, place in zip(texts, places, strict=True):
                _insist_line(setting, text, place)
            files[setting.name] = "".join(f"{text}\n" for text in texts)
    return files


def left_out(config: "Config") -> list[str]:
    """Name files that a conversion leaves as they are: both carriers go with them.

    Raises:
        ConfigError: something that is set cannot be used.
    """
    found = []
    for setting in SETTINGS.values():
        if setting.type in {Type.FILES, Type.MAP}:
            found += [str(place) for text, place in config.origins(setting.name) if not text]
    return found


def quote(text: str) -> str:
    """Write a text as a string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(config: "Config", setting: Setting) -> list[str]:
    """List the lines of a setting that count; none of what has no lines."""
    texts = [text for text, _ in config.origins(setting.name) if text]
    return texts if setting.type.several else texts[:1]


def _key(name: str) -> str:
    """Write a key of TOML."""
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else quote(name)


def _word(text: str) -> str:
    """Write a word as a number where that is the same."""
    return text if _NUMBER.fullmatch(text) else quote(text)


def _value(setting: Setting, texts: list[str]) -> str:
    if setting.type.several:
        if len(texts) == 1:
            return f"[{quote(texts[0])}]"
        return "[\n" + "".join(f"    {quote(text)},\n" for text in texts) + "]"
    return _word(texts[0]) if setting.type in {Type.NUMBER, Type.LEVEL} else quote(texts[0])


def _map(setting: Setting, texts: list[str]) -> str:
    rows = [f"{quote(key)} = {quote(value)}\n" for key, value in pairs(texts).items()]
    return f"[{setting.table.value}.{_key(setting.name)}]\n" + "".join(rows)


def _plugin(line: PluginLine) -> str:
    """Write a plugin; its words as keys and values where they look so, as ``args`` otherwise."""
    rows = [f"[[plugin]]\nname = {quote(line.name)}\n"]
    arguments: dict[str, list[str]] = {}
    last = ""
    keyed = len(line.args) % 2 == 0
    for key, value in zip(line.args[::2], line.args[1::2], strict=False):
        apart = key in arguments and key != last  # keys of TOML stand together
        keyed = keyed and bool(_KEY.fullmatch(key)) and not apart and key not in {"name", "args"}
        arguments.setdefault(key, []).append(value)
        last = key
    if not keyed:
        arguments = {"args": line.args}
    for key, values in arguments.items():
        words = [_word(value) for value in values]
        single = len(words) == 1 and keyed
        rows.append(f"{key} = {words[0] if single else '[' + ', '.join(words) + ']'}\n")
    return "".join(rows)


def _insist_words(line: PluginLine) -> None:
    """Refuse words that a line would not keep apart."""
    for word in (line.name, *line.args):
        if word.split() != [word]:
            raise ConfigError(
                f"plugin {line.name}: {word!r} cannot stand in a control file, whose words have "
                "no white space; leave this plugin in qpsmtpd.toml",
                file=line.file,
                line=line.line or None,
            )


def _insist_line(setting: Setting, text: str, place: Place) -> None:
    """Refuse a value that a control file would read as something else."""
    if text.startswith("#") or text.split(None, 1)[0] == "$include":
        raise ConfigError(
            f"{setting.name}: {text!r} cannot stand in a control file; leave it in qpsmtpd.toml",
            file=place.file,
            line=place.line or None,
        )
