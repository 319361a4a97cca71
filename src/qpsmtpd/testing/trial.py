"""What handlers did, one call at a time, for whoever wants to watch them."""

from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, NamedTuple

from qpsmtpd.hooks import Handler, Kind, Scope
from qpsmtpd.hooks.verdict import PASS, Verdict, read
from qpsmtpd.services import Clock

__all__ = ["Answered", "Watch"]


class Answered(NamedTuple):
    """One call of a handler, and what came of it."""

    hook: str
    plugin: str
    verdict: Verdict  #: what it returned; DECLINED when it failed
    trouble: str  #: what was wrong with that; "" if nothing
    seconds: float  #: that it took
    waited: float  #: seconds it would have slept or waited for DNS


class Watch:
    """Puts itself in front of handlers.

    Attributes:
        calls: the calls so far; whoever has seen them may clear it.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin.

        Args:
            clock: tells how long handlers have waited.
        """
        self.calls: list[Answered] = []
        self._clock = clock

    def over(self, handler: Handler) -> Handler:
        """Return a handler that does what *handler* does, and is watched."""
        if handler.hook.scope is Scope.PROCESS:
            return handler  # asked all the time, and about no client
        coroutine = handler.kind is Kind.COROUTINE
        return Handler(
            handler.plugin,
            handler.hook,
            self._later(handler) if coroutine else self._at_once(handler),
            handler.kind,
            timeout=handler.timeout,
            on_error=handler.on_error,
            eager=handler.eager,
        )

    def _at_once(self, handler: Handler) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            done = self._begin(handler)
            try:
                value = handler.call(*arguments)
            except Exception as error:
                done(None, error)
                raise
            done(value, None)
            return value

        return call

    def _later(self, handler: Handler) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*arguments: Any) -> Any:
            done = self._begin(handler)
            try:
                value = await handler.call(*arguments)
            except Exception as error:
                done(None, error)
                raise
            done(value, None)
            return value

        return call

    def _begin(self, handler: Handler) -> Callable[[Any, Exception | None], None]:
        began, clock = perf_counter(), self._clock.monotonic()

        def done(value: Any, error: Exception | None) -> None:
            seconds, waited = perf_counter() - began, self._clock.monotonic() - clock
            verdict, trouble = read(value, handler.plugin), ""
            if error is not None:
                trouble = f"{type(error).__name__}: {error}"
            elif verdict is None:
                trouble = f"returned {value!r}, which is no result"
            self.calls.append(
                Answered(
                    handler.hook.name, handler.plugin, verdict or PASS, trouble, seconds, waited
                )
            )

        return done
