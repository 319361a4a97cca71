"""Many sessions on an event loop.

Rule: a session is advanced from the callback that brought its octets. There is a task only while
a handler really waits, and one coarse sweep for the time limits of all sessions.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, cast

from qpsmtpd.constants import LOGDEBUG
from qpsmtpd.errors import HookTimeoutError
from qpsmtpd.hooks.chain import HookCall, Kind, resume
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.smtp import CLOSED, FLUSH, NEED_DATA, Session
from qpsmtpd.smtp.state import Event

__all__ = ["SMTPProtocol", "Sessions", "run_waiting"]

#: hooks that run to their end although the client has left
_UNSTOPPABLE: Final = frozenset(
    {"queue", "queue_post", "reset_transaction", "disconnect", "post_connection"}
)
#: seconds a closed session waits for the client's last octets, so that it gets our last reply
_LINGER: Final = 3.0


async def run_waiting(call: HookCall, executor: Executor | None = None) -> Verdict:
    """Run the rest of a chain whose first handler has to wait.

    Args:
        call: what is left of it.
        executor: runs blocking handlers; None for the loop's own threads.
    """
    loop = asyncio.get_running_loop()
    while True:
        handler = call.chain[0]
        pending, call.pending = call.pending, None
        try:
            async with asyncio.timeout(handler.timeout) as limit:
                if pending is not None:
                    value = await pending
                elif handler.kind is Kind.COROUTINE:
                    value = await handler.call(*call.arguments)
                else:
                    value = await loop.run_in_executor(executor, handler.call, *call.arguments)
        except Exception as error:  # noqa: BLE001 - a handler's failure costs that handler only
            if isinstance(error, TimeoutError) and limit.expired():
                verdict = call.fail(
                    handler, HookTimeoutError(f"no answer within {handler.timeout:g} seconds")
                )
            else:
                verdict = call.fail(handler, error)
        else:
            verdict = call.settle(handler, value)
        if verdict is not None:
            return verdict
        rest = resume(call)
        if not isinstance(rest, HookCall):
            return rest
        call = rest


class Sessions:
    """The live sessions of one event loop: their time limits, and what they share."""

    def __init__(
        self,
        *,
        session_timeout: float = 0,
        executor: Executor | None = None,
        finished: Callable[[Session], None] | None = None,
    ) -> None:
        """Begin without sessions.

        Args:
            session_timeout: seconds a session may last; 0 for no limit.
            executor: runs blocking handlers; None for the loop's own threads.
            finished: told of each session when it is over.
        """
        self.live: set[SMTPProtocol] = set()
        self.session_timeout = session_timeout
        self.executor = executor
        self.finished = finished

    def sweep(self, now: float) -> None:
        """Hold all sessions to their time limits; to be called about once a second.

        Args:
            now: the loop's time.
        """
        for protocol in tuple(self.live):
            protocol.sweep(now)


class SMTPProtocol(asyncio.Protocol):
    """Drives one session."""

    __slots__ = (
        "_began",
        "_closing",
        "_done",
        "_full",
        "_hook",
        "_lost",
        "_sessions",
        "_since",
        "_steps",
        "_task",
        "_transport",
        "_unsent",
        "session",
    )

    def __init__(
        self, session: Session, sessions: Sessions, done: Callable[[], None] | None = None
    ) -> None:
        """Prepare to serve.

        Args:
            session: the session to drive.
            sessions: those it belongs to.
            done: called once, when the connection is gone.
        """
        self.session = session
        self._sessions = sessions
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._hook: asyncio.Future[Verdict] | None = None
        self._full = False  # the client does not read: no more commands until it does
        self._unsent = False  # the session has to go on once the client reads
        self._closing = False
        self._lost = False
        self._began = self._since = 0.0  # set by the first sweep
        self._steps = -1

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._sessions.live.add(self)
        self.session.connection.peek = self._input_pending
        self._advance(self.session.next_event())

    def data_received(self, data: bytes) -> None:
        """Serve what came, all of it, and answer with one write."""
        if self._closing:
            return
        self.session.feed(data)
        if self._task is None and not self._unsent:
            self._advance(self.session.next_event())

    def eof_received(self) -> bool:
        """Serve what is left; the client may still be reading."""
        if self._closing:
            self._drop()
            return True
        self.session.feed(b"")
        if self._task is None and not self._unsent:
            self._advance(self.session.next_event())
        return True

    def pause_writing(self) -> None:
        """Stop serving a client that does not read its replies."""
        self._full = True
        if self._transport is not None and not self._closing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with it."""
        self._full = False
        if self._task is not None or self._closing:
            return
        if self._unsent:
            self._unsent = False
            self._advance(self.session.next_event())
        if self._transport is not None and not self._full and self._task is None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, in the order of the original, and free what it held."""
        self._lost = True
        if self._task is None:
            if not self._closing:
                self.session.feed(b"")
                self._advance(self.session.abandon())
        elif self._hook is not None:
            self._hook.cancel()
        self._transport = None
        if self._task is None:
            self._sessions.live.discard(self)
        if self._done is not None:
            self._done()
            self._done = None

    # What the server calls

    def shutdown(self) -> None:
        """Say goodbye at the next command boundary."""
        self.session.shutdown()
        if self._task is None and not self._closing and self.session.interruptible:
            self._unsent = False
            self._advance(self.session.next_event())

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Hold the session to its time limits."""
        session = self.session
        if not self._began:
            self._began = now
        if session.steps != self._steps or self._task is not None:
            self._steps = session.steps
            self._since = now
        elif self._closing:
            if now - self._since > _LINGER:
                self.abort()
            return
        waited = now - self._since
        lasts = self._sessions.session_timeout
        too_long = 0 < lasts < now - self._began
        if self._task is None and not self._closing and (waited > session.time_limit or too_long):
            if self._full:
                self.abort()  # there is no way to tell it
                return
            self._since = now
            session.timeout(session=too_long)
            self._advance(session.next_event())

    # Inside

    def _advance(self, event: Event) -> None:
        session = self.session
        while event is not NEED_DATA:
            if type(event) is HookCall:
                self._wait_for(event)
                return
            if event is FLUSH:
                self._flush()
                if self._full:
                    self._unsent = True
                    return
                event = session.next_event()
            else:
                self._close()
                return
        self._flush()

    def _flush(self) -> None:
        out = self.session.data_to_send()
        if out and not self._lost and self._transport is not None:
            self._transport.write(out)

    def _wait_for(self, call: HookCall) -> None:
        """Let a task finish the chain; the client's further octets stay in the kernel."""
        self._flush()
        if self._transport is not None and not self._lost:
            self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._wait(call))

    async def _wait(self, call: HookCall) -> None:
        """Finish a chain, then go on with the session until it needs data."""
        session = self.session
        event: Event = call
        while event is not NEED_DATA and event is not CLOSED:
            if type(event) is HookCall:
                event = await self._run(event)
            else:
                self._flush()
                if self._full:
                    self._unsent = True
                    break
                event = session.next_event()
            self._flush()
        self._task = None
        if event is CLOSED:
            self._close()
        elif self._transport is not None and not self._lost:
            if session.interruptible and session.stopping:
                self._advance(session.next_event())
            if not self._full and not self._closing:
                self._transport.resume_reading()
        else:
            self._advance(session.abandon())
            if self._task is None:
                self._sessions.live.discard(self)

    async def _run(self, call: HookCall) -> Event:
        """Run a chain; a client that leaves meanwhile stops it, unless it must not be stopped."""
        session = self.session
        waiting = run_waiting(call, self._sessions.executor)
        if call.hook in _UNSTOPPABLE:
            return session.next_event(await waiting)
        if self._lost:
            waiting.close()
            return session.abandon()
        self._hook = asyncio.ensure_future(waiting)
        try:
            verdict = await self._hook
        except asyncio.CancelledError:
            self._reraise_unless_lost()
            return session.abandon()
        finally:
            self._hook = None
        return session.next_event(verdict)

    def _reraise_unless_lost(self) -> None:
        """Tell a client that left from a server that stops, in the handler of a cancellation."""
        if not self._lost:
            raise  # noqa: PLE0704 - called while the exception is handled

    def _close(self) -> None:
        """The session is over: send what there is and go, without losing our last reply."""
        self._flush()
        if self._closing:
            return
        self._closing = True
        session = self.session
        if self._sessions.finished is not None:
            self._sessions.finished(session)
        transport = self._transport
        if transport is None or self._lost:
            self._sessions.live.discard(self)
        elif session.verb == "quit" and not session.input_pending():
            transport.close()
        elif transport.can_write_eof():
            # a close with unread input would reset the connection and eat the reply
            transport.write_eof()
            transport.resume_reading()
            self._steps = -1
        else:
            transport.close()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _input_pending(self) -> bool:
        """True when the client has sent something no command has used yet."""
        if self.session.input_pending():
            return True
        if self._transport is None:
            return False
        found = self._transport.get_extra_info("socket")
        try:
            with socket.socket(fileno=os.dup(found.fileno())) as twin:
                return bool(twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError as error:
            self.session.connection.log(LOGDEBUG, f"cannot look for input: {error}")
            return False
