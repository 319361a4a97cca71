"""One session on blocking descriptors.

Rule: importing this loads no asyncio. A coroutine handler that awaits nothing but services never
suspends and needs no event loop; there is one only for those that do.
"""

import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from qpsmtpd.constants import LOGWARN
from qpsmtpd.errors import HookTimeoutError
from qpsmtpd.hooks.chain import Handler, HookCall, Suspended, begin, run_blocking
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.smtp import CLOSED, NEED_DATA, Session

if TYPE_CHECKING:
    import asyncio

__all__ = ["Runner", "Wire", "serve"]

#: what asyncio says to whoever has to wait and was begun without a loop
_NO_LOOP: Final = "no running event loop"


class Wire(Protocol):
    """Where a session's octets come from and go to."""

    def read(self, seconds: float) -> bytes | None:
        """Wait for octets; raises OSError when the client is gone.

        Args:
            seconds: how long.

        Returns:
            Some octets; none at the end of input; None when nothing came in time.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all octets; raises OSError when the client is gone."""
        ...


class Runner:
    """Runs what is left of chains, on an event loop where a coroutine handler needs one.

    A process that has loaded asyncio, which a plugin does that is made for it, runs its coroutine
    handlers on the loop; any other steps them, and makes a loop when one of them does not end
    with that. The loop is kept until ``close``, since plugins keep what belongs to it.
    """

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.Runner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(self, call: HookCall) -> Verdict:
        """Run a chain to its verdict."""
        return run_blocking(call, self._finish)

    def close(self) -> None:
        """End the event loop, if there is one."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def _finish(self, call: HookCall, handler: Handler) -> object:
        """Run a coroutine handler to its end."""
        arguments = call.arguments
        value: Any
        value, call.pending = call.pending, None
        if value is None and (handler.eager or "asyncio" not in sys.modules):
            try:
                value = begin(handler, arguments)
            except RuntimeError as error:
                if str(error) != _NO_LOOP:
                    raise
                call.connection.logger.log(
                    LOGWARN,
                    f"hook {call.hook} of plugin {handler.plugin} was begun twice, since it needs "
                    "an event loop: import asyncio, or the library that does, where the plugin "
                    "begins, and set eager only where nothing but services is awaited",
                    plugin=handler.plugin,
                    hook=call.hook,
                    connection=call.connection,
                )
            else:
                if type(value) is not Suspended:
                    return value
        if value is None:
            value = handler.call(*arguments)
        return self._on_loop(handler, arguments, value)

    def _on_loop(
        self, handler: Handler, arguments: tuple[object, ...], awaitable: Awaitable[object]
    ) -> object:
        if self._loop is None:
            import asyncio  # noqa: PLC0415 - in many processes nobody needs it

            self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        return self._loop.run(_limited(handler, arguments, awaitable))


async def _limited(
    handler: Handler, arguments: tuple[object, ...], awaitable: Awaitable[object]
) -> object:
    """Await what a handler has begun, for as long as it may take."""
    import asyncio  # noqa: PLC0415 - whoever runs a loop has it loaded

    try:
        async with asyncio.timeout(handler.timeout) as limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired():
            raise HookTimeoutError(f"no answer within {handler.timeout:g} seconds") from error
        raise


def serve(
    session: Session,
    wire: Wire,
    run: Callable[[HookCall], Verdict] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Drive one session until it ends.

    Args:
        session: the session.
        wire: the client.
        run: runs a chain to its verdict: the ``Runner`` of a process that serves several
            sessions; None for one of this session's own.
        monotonic: a clock, in seconds.
    """
    if run is None:
        with Runner() as own:
            _serve(session, wire, own, monotonic)
    else:
        _serve(session, wire, run, monotonic)


def _serve(
    session: Session,
    wire: Wire,
    run: Callable[[HookCall], Verdict],
    monotonic: Callable[[], float],
) -> None:
    began = since = monotonic()
    steps = session.steps
    lasts = session.settings.session_timeout
    event = session.next_event()
    while event is not CLOSED:
        gone = _send(session, wire)
        if isinstance(event, HookCall):
            event = session.next_event(run(event))
            since = monotonic()
            continue
        if gone:
            event = session.abandon()
            continue
        if event is NEED_DATA:
            now = monotonic()
            if session.steps != steps:
                steps, since = session.steps, now
            left = since + session.time_limit - now
            if lasts:
                left = min(left, began + lasts - now)
            try:
                data = wire.read(left) if left > 0 else None
            except OSError:
                event = session.abandon()
                continue
            if data is None:
                session.timeout(session=0 < lasts <= monotonic() - began)
            else:
                session.feed(data)
        event = session.next_event()
    _send(session, wire)


def _send(session: Session, wire: Wire) -> bool:
    """Send what there is; returns True when the client is gone."""
    data = session.data_to_send()
    try:
        if data:
            wire.write(data)
    except OSError:
        return True
    return False
