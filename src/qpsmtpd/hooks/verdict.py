"""A handler's return value, normalised."""

from functools import lru_cache
from typing import Final, NamedTuple

from qpsmtpd.constants import DECLINED, Result

__all__ = ["PASS", "Verdict", "read"]


class Verdict(NamedTuple):
    """The outcome of a chain: the first result that was not DECLINED."""

    result: Result
    lines: tuple[str, ...] = ()  #: the plugin's text for the client, a line each
    plugin: str = ""  #: registered name of the plugin that decided
    values: tuple[object, ...] = ()  #: what stood behind the result, unchanged

    @property
    def text(self) -> str:
        """The plugin's text, lines joined by a newline."""
        return "\n".join(self.lines)


@lru_cache(maxsize=4096)
def _bare(result: Result, plugin: str) -> Verdict:
    """Make the verdict of a result without text, which is always the same."""
    return Verdict(result, (), plugin)


#: the verdict of a chain that is empty, or in which everybody declined
PASS: Final = Verdict(DECLINED)


def read(value: object, plugin: str) -> Verdict | None:
    """Normalise what a handler returned.

    A result alone, ``(result, text, …)``, or None, which declines. Each text is cut at its
    newlines, so that one text becomes a reply of several lines.

    Returns:
        The verdict, or None when the value is no result at all.
    """
    if type(value) is Result:
        return _bare(value, plugin)
    if value is None:
        return PASS
    if isinstance(value, tuple):
        if not value:
            return None
        code, *rest = value
    else:
        code, rest = value, []
    if not isinstance(code, Result):
        try:
            code = Result(code)  # plain numbers are taken too
        except ValueError:
            return None
    lines: list[str] = []
    for text in rest:
        if isinstance(text, str) and text:
            if "\n" in text:
                lines.extend(line.rstrip("\r") for line in text.split("\n"))
            else:
                lines.append(text.rstrip("\r"))
    return Verdict(code, tuple(lines), plugin, tuple(rest))
