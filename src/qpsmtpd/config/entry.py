"""What is known of one setting at the moment."""

import os
from collections.abc import Mapping
from typing import Any, Final

from qpsmtpd.config import value
from qpsmtpd.config.control import Content
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.schema import SETTINGS, Setting, Type
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError

__all__ = ["HOOK", "UNNAMED", "Entry"]

#: the row of names that are not in the table: files of plugins that are not bundled
UNNAMED: Final = Setting("", Type.LINE, None, "A control file that is not in the table.")
#: where values of a plugin come from
HOOK: Final = "config hook"


class Entry:
    """One setting: lines, value and origin, or what is wrong.

    Attributes:
        content: the lines with their places; None when it is not set.
        lines: the lines, those of the default when it is not set.
        typed: the value by the type of the setting.
        problems: what is wrong.
        watch: the files it depends on.
    """

    __slots__ = ("_error", "content", "lines", "problems", "typed", "watch")

    def __init__(self) -> None:
        self.content: Content | None = None
        self.lines: list[str] = []
        self.typed: Any = None
        self.problems: list[Problem] = []
        self.watch = Watch()
        self._error: ConfigError | None = None

    @property
    def usable(self) -> bool:
        """False when there is no value to go by."""
        return self._error is None

    def insist(self) -> "Entry":
        """Return itself.

        Raises:
            ConfigError: it is not usable.
        """
        if self._error is not None:
            error = self._error
            raise ConfigError(error.text, file=error.file, line=error.line)
        return self

    def fill(self, name: str, content: Content) -> "Entry":
        """Make the value; without content, the default.

        Raises:
            ConfigError: the content cannot be the value.
        """
        setting = SETTINGS.get(name, UNNAMED)
        if content.texts:
            self.content = content
        else:
            for text in _default(setting):
                content.add(text, "default", 0)
        self.lines = content.texts
        if content.texts or setting.type.several:
            self.typed = value.read(setting, content)
        return self

    def answer(self, name: str, answer: tuple[object, ...]) -> "Entry":
        """Make the value of what a plugin said; where it said nothing, nothing is set.

        Raises:
            ConfigError: the answer cannot be the value.
        """
        content = Content()
        first = answer[0] if answer else None
        if isinstance(first, Mapping):
            for key, inner in first.items():
                content.add(f"{key} {inner}".rstrip(), HOOK, 0)
            self.content, self.lines, self.typed = content, content.texts, first
            return self
        for text in answer:
            if text is not None:
                content.add(str(text).strip(), HOOK, 0)
        return self.fill(name, content)

    def fail(self, error: ConfigError, former: "Entry | None") -> "Entry":
        """Keep the value there was before; without one, there is none to go by."""
        self.problems.append(Problem.of(error))
        if former is None:
            self._error = error
        else:
            self._take(former)
            self.content = former.content
        return self

    def settle(self, former: "Entry | None") -> None:
        """Keep the very objects of the value before, if that is the same."""
        if former is not None and former.lines == self.lines:
            self._take(former)

    def _take(self, former: "Entry") -> None:
        self.lines, self.typed = former.lines, former.typed


def _default(setting: Setting) -> tuple[str, ...]:
    if setting.name == "me":
        return (os.uname().nodename,)
    return setting.default_lines
