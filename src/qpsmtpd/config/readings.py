"""What was read from files, and is good until they change."""

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd.config import control, value
from qpsmtpd.config.control import Content
from qpsmtpd.config.entry import Entry
from qpsmtpd.config.schema import SETTINGS
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.config.carriers import Carriers
    from qpsmtpd.config.problem import Problem

__all__ = ["Readings", "forget"]

#: values kept of names that are not in the table: such names may hold domains of clients
_STRANGERS: Final = 4096


class Readings:
    """Settings as files have them, read when they are first asked for."""

    __slots__ = ("_carriers", "_files", "_former", "_lines", "_lock", "_maps")

    def __init__(self, carriers: "Carriers") -> None:
        self._carriers = carriers
        self._lines: dict[str, Entry] = {}
        self._maps: dict[str, Entry] = {}
        self._files: dict[str, tuple[Watch, str | None]] = {}
        self._former: dict[tuple[str, bool], Entry] = {}  #: by name and whether it is a map
        self._lock = allocate_lock()  # held while a setting is read

    def lines(self, name: str) -> Entry:
        """Read a setting as lines."""
        return self._lines.get(name) or self._load(self._lines, name)

    def map(self, name: str) -> Entry:
        """Read a setting as a map."""
        return self._maps.get(name) or self._load(self._maps, name)

    def file(self, name: str) -> str | None:
        """Find a file that its reader opens by itself.

        Raises:
            ConfigError: nothing can have such a name.
        """
        known = self._files.get(name)
        if known is None:
            watch = Watch()
            known = watch, self._carriers.locate(name, watch)
            forget(self._files)
            self._files[name] = known
        return known[1]

    def problems(self) -> "list[Problem]":
        """List what is wrong with what was read."""
        entries = (*self._lines.values(), *self._maps.values())
        return [problem for entry in entries for problem in entry.problems]

    def watched(self) -> set[str]:
        """Name every file and directory that was read or looked for."""
        watches = [entry.watch for entry in (*self._lines.values(), *self._maps.values())]
        watches += [watch for watch, _ in self._files.values()]
        return set().union(*(watch.stamps for watch in watches))

    def drop_stale(self, redefined: set[str] | None) -> bool:
        """Forget what files no longer say; settings are read anew at once.

        Args:
            redefined: settings that may have changed in the TOML file; None if it is the same.

        Returns:
            True when there was any change.
        """
        changed = redefined is not None
        again: list[tuple[dict[str, Entry], str]] = []
        for entries in (self._lines, self._maps):
            for name, entry in list(entries.items()):
                # one that is not usable may be so because of the TOML file
                doubtful = redefined is not None and (name in redefined or not entry.usable)
                if doubtful or entry.watch.changed():
                    changed = True
                    del entries[name]
                    if name in SETTINGS:
                        again.append((entries, name))
                        if entry.usable:
                            self._former[name, entries is self._maps] = entry
        for name, (watch, _) in list(self._files.items()):
            if watch.changed():
                changed = True
                del self._files[name]
        for entries, name in again:
            self._load(entries, name)
        return changed

    def _load(self, entries: dict[str, Entry], name: str) -> Entry:
        """Read what is not in *entries*, or was not until another thread read it."""
        with self._lock:
            entry = entries.get(name)
            if entry is None:
                forget(entries)
                entry = entries[name] = self._read(name, is_map=entries is self._maps)
            return entry

    def _read(self, name: str, *, is_map: bool) -> Entry:
        """Read a setting; when that fails, what it was before stays."""
        entry = Entry()
        former = self._former.pop((name, is_map), None)
        try:
            if is_map:
                self._read_map(name, entry)
            else:
                content, entry.problems = self._carriers.content(name, entry.watch)
                entry.fill(name, content).settle(former)
        except ConfigError as error:
            entry.fail(error, former)
        return entry

    def _read_map(self, name: str, entry: Entry) -> None:
        """Read a map from a database or from text."""
        path, entry.problems = self._carriers.database(name, entry.watch)
        if path is None:
            content, entry.problems = self._carriers.content(name, entry.watch)
            entry.fill(name, content)
            entry.typed = value.pairs(entry.lines)
            return
        from qpsmtpd.config import cdb  # noqa: PLC0415 - most installations have none

        entry.content = Content()
        entry.content.add("", path, 0)
        try:
            entry.typed = cdb.Database(path)
        except OSError as error:
            raise control.unreadable(path, error) from error


def forget(entries: dict[str, Any]) -> None:
    """Make room when too many names that are in no table were looked up."""
    if len(entries) > _STRANGERS + len(SETTINGS):
        for name in [name for name in entries if name not in SETTINGS]:
            entries.pop(name, None)
