"""Lines of ``config/plugins`` to plugins, and plugins to handlers in order.

Rule: whatever is wrong with a line stops here, as a ConfigError that names file and line, before
any client is greeted.
"""
# pathlib would cost every start some milliseconds and buy nothing here
# ruff: noqa: PTH113, PTH118

import os
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, NoReturn, Protocol

from qpsmtpd.constants import LOGNOTICE, LOGWARN
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Handler
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.plugin.args import closest
from qpsmtpd.plugin.base import Plugin, prepare
from qpsmtpd.plugin.former import ABSENT, GONE, OLD_NAMES, translate
from qpsmtpd.plugin.names import Name, read_name, registered_name
from qpsmtpd.plugin.search import GROUP, find_class
from qpsmtpd.plugin.services import Services

__all__ = ["Line", "Services", "handlers", "load_plugin", "load_plugins", "registered_name"]


class Line(Protocol):
    """One line of ``config/plugins``; ``qpsmtpd.config`` has it as ``PluginLine``."""

    @property
    def name(self) -> str:
        """Its first word."""

    @property
    def args(self) -> Sequence[str]:
        """The other words."""

    @property
    def file(self) -> str:
        """Path of the file it is in."""

    @property
    def line(self) -> int:
        """Its number there, from 1; 0 when it is not known."""


class _Line(NamedTuple):
    name: str
    args: list[str]
    file: str
    line: int


class _Found(NamedTuple):
    """A plugin class, with what the line means today."""

    cls: type[Plugin]
    name: Name
    words: list[str]
    notes: list[str]


def load_plugins(
    lines: Iterable[Line],
    services: Services,
    search: Sequence[str] = (),
    *,
    strict: bool = False,
    problems: list[ConfigError] | None = None,
) -> list[Plugin]:
    """Load plugins, in the order of their lines.

    What does no harm (old names, unknown words, plugins that are gone) is logged.

    Args:
        lines: the lines.
        services: what the plugins reach the world with.
        search: plugin directories, asked before the bundled plugins.
        strict: treat unknown words and plugins that are gone as errors.
        problems: takes the errors; None to have the first one raised.

    Raises:
        ConfigError: a line cannot be used, and *problems* is None.
    """
    plugins: list[Plugin] = []
    found: list[ConfigError] = []
    for line in lines:
        try:
            plugin = _load(line, services, search, strict=strict)
        except ConfigError as error:
            if problems is None:
                raise
            found.append(error)
            continue
        if plugin is None:
            continue
        if plugin.name in {other.name for other in plugins}:
            plugin.warnings.append(
                f"{plugin.name} is loaded twice under one name; write {line.name}:2 to tell them "
                "apart"
            )
        warnings = [_at(line, warning) for warning in plugin.warnings]
        if strict and warnings:
            if problems is None:
                raise warnings[0]
            found.extend(warnings)
        for warning in warnings:
            services.logger.log(LOGWARN, str(warning), plugin=plugin.name)
        plugins.append(plugin)
    if problems is not None:
        problems.extend(found)
    return plugins


def load_plugin(
    text: str,
    services: Services,
    search: Sequence[str] = (),
    *,
    file: str = "plugins",
    line: int = 1,
    strict: bool = False,
) -> Plugin:
    """Load the plugin of one line of text, for tests and tools.

    Raises:
        ConfigError: the line cannot be used, or is that of a plugin that is gone.
    """
    name, *words = text.split() or [""]
    one = _Line(name, words, file, line)
    plugins = load_plugins([one], services, search, strict=strict)
    if not plugins:
        raise _at(one, f"plugin {name} is gone")
    return plugins[0]


def handlers(plugins: Iterable[Plugin]) -> list[Handler]:
    """Return the handlers of all plugins in the order in which they are asked.

    Lines and registrations make the order; what was registered with ``first`` goes in front of
    all that were registered before it.
    """
    chains: dict[str, list[Handler]] = {name: [] for name in HOOKS}
    for plugin in plugins:
        for handler, first in plugin.registrations:
            chain = chains[handler.hook.name]
            chain.insert(0 if first else len(chain), handler)
    return [handler for chain in chains.values() for handler in chain]


def _load(line: Line, services: Services, search: Sequence[str], *, strict: bool) -> Plugin | None:
    """Load one plugin; None for one that is gone."""
    try:
        found = _find(line, services, search, strict=strict)
        if found is None:
            return None
        for note in found.notes:
            text = str(_at(line, f"{line.name}: {note}"))
            services.logger.log(LOGNOTICE, text, plugin=found.name.registered)
        plugin = found.cls(found.name.registered, found.words, services)
        prepare(plugin)
    except ConfigError as error:
        if error.file is not None:
            raise
        raise _at(line, error.text) from error.__cause__
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is the plugin's
        _refuse(line, error)
    return plugin


def _find(line: Line, services: Services, search: Sequence[str], *, strict: bool) -> _Found | None:
    """Find the class of a line's plugin, under today's name if need be."""
    name, words = read_name(line.name), list(line.args)
    cls = find_class(name, search)
    if cls is not None:
        today, notes = translate(name.path, words)
        return _Found(cls, name, today, notes)
    plain = name.path.removeprefix("async/")
    former = OLD_NAMES.get(plain)
    new = former.name if former else plain
    if new != name.path:
        instance = line.name[len(name.path) :]
        now = read_name(new + instance)
        cls = find_class(now, search)
        if cls is not None:
            today, notes = translate(new, former.arguments(words) if former else words)
            note = f"is called {new} today" + (
                f"; {former.note}" if former and former.note else ""
            )
            return _Found(cls, now, today, [note, *notes])
    if name.path in GONE:
        text = f"plugin {name.path} is gone, its line is ignored: {GONE[name.path]}"
        if strict:
            raise ConfigError(text)
        services.logger.log(LOGWARN, str(_at(line, text)), plugin=name.registered)
        return None
    if new in ABSENT:
        which = new if new == name.path else f"{name.path}, called {new} today,"
        raise ConfigError(
            f"plugin {which} is not here yet; put # in front of its line to do without"
        )
    raise ConfigError(_missing(line.name, name, search))


def _missing(text: str, name: Name, search: Sequence[str]) -> str:
    """Say that there is no such plugin, where it was looked for, and what was probably meant."""
    if name.module:
        return f"plugin {text}: there is no module {name.module}; is its package installed?"
    from qpsmtpd.plugin.catalogue import names  # noqa: PLC0415 - only on the way to a complaint

    places = [*search, "the bundled plugins", f"installed packages (entry points {GROUP})"]
    said = f"no plugin {name.path!r}{closest(name.path, names(search))}"
    for directory in search:
        file = os.path.join(directory, name.path)
        if os.path.isfile(file):
            mark = "" if said.endswith("?") else ";"
            return f"{said}{mark} {file} is no Python plugin: its name has to end in .py"
    return f"{said}{'' if said.endswith('?') else ';'} looked in {', '.join(places)}"


def _refuse(line: Line, error: BaseException) -> NoReturn:
    """Turn an exception of a plugin to a ConfigError."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and not missing.startswith("qpsmtpd"):
        package = missing.partition(".")[0]
        text = f"plugin {line.name} needs the Python module {package}, which cannot be imported"
        raise _at(line, f"{text}: {error}") from error
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = _last_place(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename:
        reason = f"{type(error).__name__}: {error.msg}"
        place = f"{error.filename}:{error.lineno}"
    raise _at(line, f"plugin {line.name} cannot be loaded: {reason} ({place})") from error


def _last_place(traceback: TracebackType | None) -> str:
    """Return ``file:line`` of where an exception was raised."""
    place = "unknown place"
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith("<"):
            place = f"{file}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _at(line: Line, text: str) -> ConfigError:
    return ConfigError(text, file=line.file, line=line.line or None)
