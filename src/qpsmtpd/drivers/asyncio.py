"""One session of many on an event loop.

Rule: there is a task only while a handler really waits. See ``sessions`` for when a session is
served.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from qpsmtpd.constants import LOGDEBUG
from qpsmtpd.drivers.chain import run_waiting
from qpsmtpd.drivers.sessions import Sessions
from qpsmtpd.hooks.chain import HookCall
from qpsmtpd.smtp import CLOSED, NEED_DATA, Session
from qpsmtpd.smtp.state import FLUSH, Event

if TYPE_CHECKING:
    from qpsmtpd.hooks.verdict import Verdict

__all__ = ["SMTPProtocol", "Sessions"]

#: hooks that run to their end although the client has left
_UNSTOPPABLE: Final = frozenset(
    {"queue", "queue_post", "reset_transaction", "disconnect", "post_connection"}
)
#: seconds a closed session waits for the client's last octets, so that it gets our last reply
_LINGER: Final = 3.0
#: octets a client may send ahead of being served; the rest is left to the kernel
_AHEAD: Final = 65536


class SMTPProtocol(asyncio.Protocol):
    """Drives one session."""

    __slots__ = (
        "_began",
        "_busy",
        "_closing",
        "_done",
        "_full",
        "_held",
        "_hook",
        "_lost",
        "_paused",
        "_queued",
        "_sessions",
        "_since",
        "_steps",
        "_task",
        "_transport",
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
        self._held: Event | None = None  # what comes next, when we go on
        self._full = False  # the client does not read: go on when it does
        self._queued = False  # others are served first
        self._paused = False  # we do not read
        self._busy = False  # queued, held, waiting for a handler or closing
        self._closing = False  # the session is over
        self._lost = False  # the connection is
        self._began = self._since = 0.0  # set by the first sweep
        self._steps = -1

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._sessions.live.add(self)
        self.session.connection.peek = self._input_pending
        self._queue()

    def data_received(self, data: bytes) -> None:
        """Take in what came; all of it will be answered with one write."""
        if self._closing:
            return
        self.session.input.feed(data)
        if not self._busy:
            self._queue()
            if len(data) < _AHEAD:
                return
        self._throttle()  # or a loop would read as long as the client can send

    def eof_received(self) -> bool:
        """Serve what is left; the client may still be reading."""
        if not self._closing:
            self.session.feed(b"")
            if not self._busy:
                self._queue()
        elif self._transport is not None:
            self._transport.close()
        return True

    def pause_writing(self) -> None:
        """Stop serving a client that does not read its replies."""
        self._full = True
        if self._queued:
            self._unqueue()
            self._held = FLUSH
        self._throttle()

    def resume_writing(self) -> None:
        """Go on with it."""
        self._full = False
        held, self._held = self._held, None
        if isinstance(held, HookCall):
            self._wait_for(held)
        elif held is not None:
            self._queue()
        self._throttle()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, in the order of the original, and free what it held."""
        self._lost = True
        self._full = False
        self._transport = None
        done, self._done = self._done, None
        try:
            if self._hook is not None:
                self._hook.cancel()
            elif self._queued:
                self._unqueue()
                self._advance()
            elif self._task is None and not self._closing:
                self._abandon()
        finally:
            self._leave()
            if done is not None:
                done()

    # What the server calls

    def shutdown(self) -> None:
        """Say goodbye at the next command boundary."""
        session, held = self.session, self._held
        session.shutdown()
        idle = not self._busy or (held is not None and not isinstance(held, HookCall))
        if session.interruptible and idle:
            self._advance()

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
        waited = now - self._since
        if self._closing:
            if waited > _LINGER:
                self.abort()
            return
        lasts = self._sessions.session_timeout
        too_long = 0 < lasts < now - self._began
        if self._queued:
            if too_long:
                session.timeout(session=True)
        elif self._task is None and (waited > session.time_limit or too_long):
            if self._full:
                self.abort()  # there is no way to tell it
                return
            self._since = now
            session.timeout(session=too_long)
            self._advance()

    # Inside

    def _queue(self) -> None:
        """Go on with the session soon; what comes meanwhile is kept."""
        self._busy = self._queued = True
        self._sessions.schedule(self)

    def _unqueue(self) -> None:
        self._queued = False
        self._sessions.ready.remove(self)

    def _advance(self) -> None:
        """Go on with the session now."""
        try:
            event = self.session.resume(None)
        except Exception as error:  # noqa: BLE001 - other sessions must not suffer
            self.fail(error)
        else:
            self.answer(event)

    def answer(self, event: Event) -> None:
        """Send what the session says, and do what it wants; the server calls this, too."""
        session = self.session
        self._queued = False
        self._held = None
        try:
            out = session.out
            if out and self._transport is not None:
                session.out = b""
                self._transport.write(out)
            if event is NEED_DATA and not self._lost:
                self._busy = False
                if self._paused:
                    self._throttle()
            else:
                self._handle(event)
        except Exception as error:  # noqa: BLE001 - other sessions must not suffer
            self.fail(error)

    def _handle(self, event: Event) -> None:
        """Do what the session wants, other than more data from a client that is there."""
        if event is CLOSED:
            self._close()
        elif self._full:
            self._hold(event)
        elif isinstance(event, HookCall):
            self._wait_for(event)
        elif self._lost:
            self._abandon()
        else:
            self._queue()
            self._throttle()

    def _abandon(self) -> None:
        """End the session of a client that is gone."""
        self._busy = True
        try:
            self._handle(self.session.abandon())
        except Exception as error:  # noqa: BLE001 - other sessions must not suffer
            self.fail(error)

    def _flush(self) -> None:
        out = self.session.data_to_send()
        if out and self._transport is not None:
            self._transport.write(out)

    def _throttle(self) -> None:
        """Read as long as the client does and what it sent ahead is little."""
        received, transport = self.session.input, self._transport
        ahead = self._busy and received.size > _AHEAD
        wanted = self._closing or not (self._full or ahead)
        if self._paused is wanted and transport is not None and not received.ended:
            self._paused = not wanted
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _hold(self, event: Event) -> None:
        """Go on when the client reads."""
        self._held = event
        self._busy = True

    def _wait_for(self, call: HookCall) -> None:
        """Let a task finish the chain; a client that is lost meanwhile is noticed."""
        self._busy = True
        self._throttle()
        self._task = asyncio.get_running_loop().create_task(self._wait(call))

    async def _wait(self, call: HookCall) -> None:
        """Finish a chain, then go on with the session."""
        event: Event | None = call
        try:
            while isinstance(event, HookCall) and not self._full:
                event = await self._run(event)
                self._flush()
        except Exception as error:  # noqa: BLE001 - other sessions must not suffer
            event = None
            self.fail(error)
        except asyncio.CancelledError:
            event = None
            self.abort()
            raise
        finally:
            self._task = None
            if event is not None:
                self.answer(event)
            self._throttle()
            self._leave()

    async def _run(self, call: HookCall) -> Event:
        """Run a chain; a client that leaves meanwhile stops it, unless it must not be stopped."""
        session = self.session
        executor = self._sessions.executor
        if call.hook in _UNSTOPPABLE:
            return session.next_event(await run_waiting(call, executor))
        if self._lost:
            return session.abandon()
        self._hook = asyncio.ensure_future(run_waiting(call, executor))
        try:
            verdict = await self._hook
        except asyncio.CancelledError:
            if self._transport is not None:
                raise  # it is the server that stops
            return session.abandon()
        finally:
            self._hook = None
        return session.next_event(verdict)

    def _close(self) -> None:
        """The session is over: go, without losing our last reply."""
        self._end()
        session, transport = self.session, self._transport
        if transport is None or self._lost:
            return
        quit_ = session.verb == "quit" and not session.input_pending()
        if quit_ or session.input.ended or not transport.can_write_eof():
            transport.close()
            return
        # a close with unread input would reset the connection and eat the reply
        try:
            transport.write_eof()
        except OSError:  # reset already
            transport.abort()
        self._steps = -1
        self._throttle()

    def _end(self) -> None:
        self._closing = self._busy = True
        if self._sessions.finished is not None:
            self._sessions.finished(self.session)

    def fail(self, error: Exception) -> None:
        """Cut the session off, and account for the mistake."""
        self._queued = False
        self.abort()
        self._sessions.failed(self.session, error)
        if not self._closing:
            self._end()

    def _leave(self) -> None:
        """Be forgotten when the connection is lost and nothing waits any more."""
        if self._lost and self._task is None:
            self._sessions.live.discard(self)
            self.session.release()

    def _input_pending(self) -> bool:
        """True when the client has sent something no command has used yet."""
        if self.session.input_pending():
            return True
        if self._transport is None:
            return False
        found = self._transport.get_extra_info("socket")
        if found is None:
            return False
        try:
            with socket.socket(fileno=os.dup(found.fileno())) as twin:
                return bool(twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError as error:
            self.session.connection.log(LOGDEBUG, f"cannot look for input: {error}")
            return False
