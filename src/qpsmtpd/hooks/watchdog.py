"""Interrupts handlers that hang on the main thread of a process.

Rule: it raises inside a handler or not at all. The signal of a timer interrupts whatever runs;
what answers it looks on the stack for a guarded function and, unless that is busy with its own
affairs, for the handler it is waiting for. If that takes longer than its timeout allows an
exception arises in it, which costs that handler only.

A guarded function keeps the handler it asks in its local variable ``handler``, and what it asks it
in ``arguments``, a tuple that is never used again for the same handler. The files of guarded
functions are those of our own affairs. To be watched costs a handler nothing.
"""

from collections.abc import Callable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from qpsmtpd.errors import HookTimeoutError

if TYPE_CHECKING:
    from qpsmtpd.hooks.chain import Handler

__all__ = ["guarded", "start", "stop"]

F = TypeVar("F", bound=Callable[..., Any])

_guarded: set[CodeType] = set()
_ours: set[str] = set()  # files in which a frame is no handler's


def guarded(function: F) -> F:
    """Let the handlers that a function asks be watched."""
    code: CodeType = function.__code__
    _guarded.add(code)
    _ours.add(code.co_filename)
    return function


class _Watch:
    """The looks at the stack, from one to the next."""

    def __init__(self, period: float, most: float) -> None:
        self.period = period
        self.most = most
        self.seen: list[tuple[Handler, object, int]] = []  # at the last look; looks before it

    def look(self, number: int, frame: FrameType | None) -> None:
        """See who is being waited for.

        Time is counted in looks, so that nobody is late because the process was stopped.

        Raises:
            HookTimeoutError: somebody for too long.
        """
        before, self.seen = self.seen, []
        inside: CodeType | None = None
        late = 0.0
        while frame is not None:
            code = frame.f_code
            if code in _guarded and inside is not None and inside.co_filename not in _ours:
                handler, arguments = frame.f_locals["handler"], frame.f_locals["arguments"]
                looks = 0
                for known, asked, count in before:
                    if known is handler and asked is arguments:
                        looks = count + 1
                self.seen.append((handler, arguments, looks))
                limit = min(handler.timeout, self.most)
                if looks * self.period >= limit:
                    late = late or limit
            inside, frame = code, frame.f_back
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
    """Watch no more; a process that becomes another program would take the timer along."""
    import signal  # noqa: PLC0415 - see above

    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
