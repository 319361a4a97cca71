"""Interrupts handlers that hang on the main thread of a process.

Rule: it raises inside a handler or not at all. The signal of a timer interrupts whatever runs;
what answers it looks on the stack for functions that are known to be handlers. If one is found
there longer than its timeout allows an exception arises in it, or in what it called, which costs
that handler only. To be watched costs a handler nothing.

Handlers without code of their own, such as functions of C modules, are not watched.
"""

from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from qpsmtpd.errors import HookTimeoutError

if TYPE_CHECKING:
    from qpsmtpd.hooks.chain import Handler

__all__ = ["code_of", "start", "stop", "watch"]

#: handlers by the code of their functions, which several instances of a plugin share
_watched: dict[CodeType, "list[Handler]"] = {}


def code_of(call: Callable[..., Any]) -> CodeType | None:
    """Return the code behind a function, method or partial; None for what has none."""
    while True:
        code = getattr(call, "__code__", None)
        if isinstance(code, CodeType):
            return code
        inner = getattr(call, "__func__", None) or getattr(call, "func", None)
        if inner is None:
            code = getattr(getattr(type(call), "__call__", None), "__code__", None)  # noqa: B004 - its code is wanted, not whether it is there
            return code if isinstance(code, CodeType) else None
        call = inner


def watch(handlers: Iterable["Handler"]) -> None:
    """Make handlers known."""
    for handler in handlers:
        code = code_of(handler.call)
        if code is not None:
            _watched.setdefault(code, []).append(handler)


def _limit(handlers: Sequence["Handler"], frame: FrameType) -> float:
    """Return the seconds a call may take: those of the handler it belongs to."""
    own = [handler for handler in handlers if _belongs(frame, handler.call)]
    return max(handler.timeout for handler in own or handlers)


def _belongs(frame: FrameType, call: Any) -> bool:
    """Tell whether a frame is of this function or method, not of another one with its code."""
    code, values = frame.f_code, frame.f_locals
    owner = getattr(call, "__self__", None)
    if owner is not None and values.get(code.co_varnames[0]) is not owner:
        return False
    cells = getattr(getattr(call, "__func__", call), "__closure__", None) or ()
    return all(
        values.get(name) is cell.cell_contents
        for name, cell in zip(code.co_freevars, cells, strict=False)
        if name in values
    )


class _Watch:
    """The looks at the stack, from one to the next."""

    def __init__(self, period: float, most: float) -> None:
        self.period = period
        self.most = most
        self.seen: dict[FrameType, int] = {}  # calls at the last look, and looks before it

    def look(self, number: int, frame: FrameType | None) -> None:
        """See who is being waited for.

        Time is counted in looks, so that nobody is late because the process was stopped.

        Raises:
            HookTimeoutError: somebody for too long.
        """
        before, self.seen = self.seen, {}
        late = 0.0
        while frame is not None:
            handlers = _watched.get(frame.f_code)
            if handlers:
                looks = self.seen[frame] = before.get(frame, -1) + 1
                limit = min(_limit(handlers, frame), self.most)
                if looks * self.period >= limit:
                    late = late or limit
            frame = frame.f_back
        if late:
            raise HookTimeoutError(f"no answer within {late:g} seconds")


def start(period: float = 1.0, most: float = float("inf")) -> None:
    """Begin to watch; to be called on the main thread of a process that serves, after its fork.

    It takes SIGALRM, and the timer behind ``signal.alarm``.

    Args:
        period: seconds between two looks: a handler may take as much more than its timeout.
        most: seconds any handler may take, whatever its timeout; for a process that is taken for
            dead when nothing else happens in it.
    """
    import signal  # noqa: PLC0415 - not every process is watched

    signal.signal(signal.SIGALRM, _Watch(period, most).look)
    signal.setitimer(signal.ITIMER_REAL, period, period)


def stop() -> None:
    """Watch nobody any more; a process that becomes another program would take the timer along."""
    import signal  # noqa: PLC0415 - see above

    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _watched.clear()
