"""Lines of ``plugins`` and ``logging``: the name of a plugin and its arguments."""

from typing import NamedTuple

from qpsmtpd.config.control import Content

__all__ = ["PluginLine", "plugin_lines"]


class PluginLine(NamedTuple):
    """One plugin to load."""

    name: str
    args: list[str]
    file: str
    line: int  #: counted from 1; 0 when it is not known


def plugin_lines(content: Content) -> list[PluginLine]:
    """Cut lines into words at white space; nothing is quoted or escaped.

    Raises:
        ConfigError: a line holds something else than printable ASCII and tabs.
    """
    found = []
    for index, text in enumerate(content.texts):
        if content.words is not None:
            words = content.words[index]
        else:
            for character in text:
                if not " " <= character <= "~" and character != "\t":
                    raise content.error(
                        index,
                        f"unsafe character {character!a} in a plugin line; "
                        "only printable ASCII may stand there",
                    )
            words = text.split()
        found.append(PluginLine(words[0], words[1:], *content.place(index)))
    return found
