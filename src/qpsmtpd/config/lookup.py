"""Look-up of settings: recipient, override, hook, file, default, in that order.

Rule: what sessions ask for is answered from memory. Files are looked at again by ``poll``, at
most once a second. A file that has become unusable changes nothing: the value before it stays,
and ``problems`` tells.
"""

import os
from _thread import allocate_lock, get_ident
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from qpsmtpd.config import value
from qpsmtpd.config.carriers import Carriers
from qpsmtpd.config.control import Content, Place
from qpsmtpd.config.entry import UNNAMED, Entry
from qpsmtpd.config.plugin_line import PluginLine
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.readings import Readings, forget
from qpsmtpd.config.schema import SETTINGS, Type
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.address import Address

__all__ = ["Config"]

#: seconds between two looks at the files
_PERIOD: Final = 1.0

Hook = Callable[[str], "tuple[object, ...] | None"]
UserHook = Callable[["Address", str], "tuple[object, ...] | None"]


class Config:
    """Settings, as files, plugins and defaults have them.

    Lists and mappings that are returned belong to the configuration: they are the same object
    until the value changes, and must not be changed.

    Attributes:
        hook: answers a look-up with values, or None to decline; set by the engine.
        user_hook: the same for a look-up that is made for an address.
        version: grows when a file that was read has changed.
        carriers: where settings are read from.
    """

    def __init__(
        self,
        directories: Sequence[str] | None = None,
        environ: Mapping[str, str] = os.environ,
        program_dir: str | None = None,
        toml: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Prepare to read; files are read when they are asked for.

        Args:
            directories: where control files are looked for, in that order; None for
                ``$QPSMTPD_CONFIG``, ``config`` beside the program, ``./config`` and
                ``$QMAIL/control``.
            environ: the environment.
            program_dir: directory of the program that was started, where it matters.
            toml: path of ``qpsmtpd.toml``; None to look for it in the directories, "" for none.
            clock: seconds that only grow.
        """
        self.hook: Hook | None = None
        self.user_hook: UserHook | None = None
        self.version = 0
        self.carriers = Carriers(directories, environ, program_dir, toml)
        self._readings = Readings(self.carriers)
        self._overrides: dict[str, Entry] = {}
        self._answers: dict[str, tuple[tuple[object, ...], Entry]] = {}
        self._asking: set[tuple[int, str]] = set()  # threads inside the hook, and for what
        self._clock = clock
        self._next = clock() + _PERIOD
        self._lock = allocate_lock()  # held while files are looked at again

    # -------------------------------------------------------------------------------- values

    def get(self, name: str) -> Any:
        """Look up a setting.

        Returns:
            Its value by type, see ``schema.Type``. None when it is not set and has no default.
            Of a name that is not in the table, the first line of its file, or None.

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        setting = SETTINGS.get(name)
        if setting is not None:
            if setting.type is Type.MAP:
                return self.map(name)
            if setting.type is Type.FILES:
                return self.file(name)
        return self._entry(name).typed

    def lines(self, name: str) -> list[str]:
        """Look up every line of a setting, whatever its type; [] when it is not set.

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        return self._entry(name).lines

    def text(self, name: str) -> str | None:
        """Look up the first line of a setting, whatever its type.

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        lines = self._entry(name).lines
        return lines[0] if lines else None

    def flag(self, name: str) -> bool:
        """Look up a truth value; False when it is not set.

        Raises:
            ConfigError: it is set to something else.
        """
        return bool(self._read(name, value.flag))

    def number(self, name: str) -> int:
        """Look up a number; 0 when it is not set.

        Raises:
            ConfigError: it is set to something else.
        """
        return int(self._read(name, value.number))

    def size(self, name: str) -> int:
        """Look up a number of octets; 0 when it is not set.

        Raises:
            ConfigError: it is set to something else.
        """
        return int(self._read(name, value.size))

    def duration(self, name: str) -> float:
        """Look up a length of time in seconds; 0 when it is not set.

        Raises:
            ConfigError: it is set to something else.
        """
        return float(self._read(name, value.duration))

    def map(self, name: str) -> Mapping[str, str]:
        """Look up a map: ``<name>.cdb``, or the lines of ``<name>`` as key and value.

        Raises:
            ConfigError: there is a file, and it cannot be used.
        """
        entry = self._map(name)
        if isinstance(entry.typed, Mapping):
            return entry.typed
        return value.pairs(entry.lines)  # a name that is no map in the table

    def file(self, name: str) -> str | None:
        """Find a file or directory that its reader opens by itself.

        Returns:
            Its path, by the rule for control files; None when there is none.

        Raises:
            ConfigError: nothing can have such a name.
        """
        return self._readings.file(name)

    def for_address(self, address: "Address", name: str) -> list[str]:
        """Look up the lines of a setting for one address.

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        if self.user_hook is not None:
            answer = self.user_hook(address, name)
            if answer is not None:
                return [str(entry) for entry in answer if entry is not None]
        return self.lines(name)

    def plugin_lines(self, name: str) -> list[PluginLine]:
        """Look up ``plugins`` or ``logging``.

        Raises:
            ConfigError: a line cannot be used.
        """
        return cast("list[PluginLine]", self.get(name))

    # -------------------------------------------------------------------------------- origins

    def source(self, name: str) -> str:
        """Tell where a setting comes from: a place, "config hook", or "default".

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        origins = self.origins(name)
        return str(origins[0][1]) if origins else "default"

    def origins(self, name: str) -> list[tuple[str, Place]]:
        """List the lines of a setting, each with where it comes from.

        A constant database is one entry without text. A setting left at its default has none.

        Raises:
            ConfigError: it is set to something that cannot be used.
        """
        setting = SETTINGS.get(name, UNNAMED)
        if setting.type is Type.FILES:
            path = self.file(name)
            return [("", Place(path, 0))] if path is not None else []
        entry = self._map(name) if setting.type is Type.MAP else self._entry(name)
        if entry.content is None:
            return []
        return [(text, entry.content.place(n)) for n, text in enumerate(entry.content.texts)]

    def watched(self) -> set[str]:
        """Name every file and directory that was read or looked for."""
        return self.carriers.watched | self._readings.watched()

    def problems(self) -> list[Problem]:
        """List what is wrong with the files read so far."""
        answers = [problem for _, entry in self._answers.values() for problem in entry.problems]
        return list(dict.fromkeys((*self.carriers.problems, *self._readings.problems(), *answers)))

    def check(self) -> list[Problem]:
        """Read every setting there is, and list all that is wrong."""
        from qpsmtpd.config.survey import survey  # noqa: PLC0415 - only for checks

        return survey(self)

    # -------------------------------------------------------------------------------- changes

    def override(self, name: str, values: str | Iterable[str], origin: str) -> None:
        """Set a setting from elsewhere, as the command line; nothing comes before it.

        Args:
            name: of the setting.
            values: its lines.
            origin: what ``source`` is to say.

        Raises:
            ConfigError: it cannot have that value.
        """
        content = Content()
        for text in (values,) if isinstance(values, str) else values:
            content.add(text, origin, 0)
        self._overrides[name] = Entry().fill(name, content)

    def poll(self) -> bool:
        """Look at the files again, at most once a second.

        Returns:
            True when something that was read, or looked for in vain, is different now.
        """
        now = self._clock()
        if now < self._next or not self._lock.acquire(blocking=False):
            return False
        try:
            self._next = now + _PERIOD
            changed = self._readings.drop_stale(self.carriers.refresh())
            self.version += changed
            return changed
        finally:
            self._lock.release()

    # -------------------------------------------------------------------------------- entries

    def _entry(self, name: str) -> Entry:
        """Find what answers a look-up.

        Raises:
            ConfigError: it cannot be used.
        """
        entry = self._overrides.get(name) or self._answer(name) or self._readings.lines(name)
        return entry.insist()

    def _map(self, name: str) -> Entry:
        """Find what answers a look-up of a map.

        Raises:
            ConfigError: it cannot be used.
        """
        entry = self._overrides.get(name) or self._answer(name) or self._readings.map(name)
        return entry.insist()

    def _answer(self, name: str) -> Entry | None:
        """Ask the hook; a handler that looks up the same name gets what files say."""
        key = get_ident(), name
        if self.hook is None or SETTINGS.get(name, UNNAMED).early or key in self._asking:
            return None
        self._asking.add(key)
        try:
            answer = self.hook(name)
        finally:
            self._asking.discard(key)
        if answer is None:
            return None
        known = self._answers.get(name)
        if known is None or known[0] != answer:
            entry = Entry()
            try:
                entry.answer(name, answer)
            except ConfigError as error:
                entry.fail(error, known[1] if known and known[1].usable else None)
            forget(self._answers)
            known = self._answers[name] = answer, entry
        return known[1]

    def _read(self, name: str, reader: Callable[[str], float]) -> Any:
        """Read a setting whose row, if it has one, does not say that it is a number."""
        entry = self._entry(name)
        if isinstance(entry.typed, int | float):
            return entry.typed
        if not entry.lines:
            return 0
        try:
            return reader(entry.lines[0])
        except ValueError as error:
            text = f"{name}: {error}"
            if entry.content is None:
                raise ConfigError(text) from None
            raise entry.content.error(0, text) from None
