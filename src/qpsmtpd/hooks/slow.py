"""Naming the plain handler that kept an event loop waiting.

Rule: a chain is timed as a whole, so that its handlers cost nothing extra. Only those of a chain
that was slow once are timed one by one, and the one at fault is named the next time.
"""

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd.constants import LOGWARN

if TYPE_CHECKING:
    from qpsmtpd.hooks.chain import Chain, Handler

__all__ = ["Timed", "name_slow"]

_REMEDY: Final = (
    "mark the function @blocking, make it async, or put offload=1 on the plugin's line"
)
_LATER: Final = "the plugin will be named the next time"


class Timed:
    """Stands in for a handler's function, and knows how long its last call took."""

    __slots__ = ("function", "handler", "seconds")

    def __init__(self, handler: "Handler") -> None:
        self.handler = handler
        self.function = handler.call
        self.seconds = 0.0

    def __call__(self, *arguments: object) -> Any:
        """Call the function."""
        started = perf_counter()
        try:
            return self.function(*arguments)
        finally:
            self.seconds = perf_counter() - started


def name_slow(
    hook: str, chain: "Chain", last: "Handler", seconds: float, limit: float, connection: Any
) -> None:
    """Log who kept every session of the process waiting, or see to it for the next time.

    Args:
        hook: name of the hook.
        chain: the handlers.
        last: the last of them that was asked.
        seconds: what all of them took.
        limit: seconds that one of them may take.
        connection: the connection it was about.
    """
    asked = chain[: chain.index(last) + 1]
    known = 0
    plain = [handler for handler in asked if handler.inline]
    for handler in plain:
        timed = handler.call
        if type(timed) is Timed:
            known += 1
            if timed.seconds > limit:
                _warn(hook, handler.plugin, timed.seconds, connection)
        else:
            handler.call = Timed(handler)
    if known < len(plain) == len(asked) == 1:
        _warn(hook, last.plugin, seconds, connection)
    elif known < len(plain):
        _warn(hook, "", seconds, connection)


def _warn(hook: str, plugin: str, seconds: float, connection: Any) -> None:
    of, advice = (f" of plugin {plugin}", _REMEDY) if plugin else ("", _LATER)
    text = (
        f"hook {hook}{of} kept every session of this process waiting for "
        f"{seconds * 1000:.0f} ms; {advice}"
    )
    connection.logger.log(LOGWARN, text, plugin=plugin, hook=hook, connection=connection)
