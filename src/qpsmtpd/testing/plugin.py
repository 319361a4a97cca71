"""Plugins of a test that are in no file of their own."""

import re
from types import ModuleType
from typing import TYPE_CHECKING, Final

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin import Plugin
from qpsmtpd.plugin.base import prepare
from qpsmtpd.plugin.search import plugin_class

if TYPE_CHECKING:
    from qpsmtpd.plugin.loader import Services

__all__ = ["from_class", "from_module"]

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def from_class(
    cls: type[Plugin], words: str, services: "Services", *, strict: bool, name: str = ""
) -> Plugin:
    """Make a plugin of a class, as the loader does of a line.

    Args:
        cls: the class.
        words: what would stand behind its name.
        services: what it reaches the world with.
        strict: let words nobody has a use for be errors.
        name: its registered name; "" for that of the class, ``QuitFortune`` as ``quit_fortune``.

    Raises:
        ConfigError: it cannot be used.
    """
    plugin = cls(name or _HUMP.sub("_", cls.__name__).lower(), words.split(), services)
    prepare(plugin)
    if strict and plugin.warnings:
        raise ConfigError(plugin.warnings[0])
    return plugin


def from_module(module: ModuleType, words: str, services: "Services", *, strict: bool) -> Plugin:
    """Make a plugin of a module, named after it; arguments as for ``from_class``.

    Raises:
        ConfigError: it cannot be used.
    """
    name = module.__name__.rpartition(".")[2]
    return from_class(plugin_class(module, name), words, services, strict=strict, name=name)
