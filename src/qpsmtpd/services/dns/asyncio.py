"""DNS for an event loop: callbacks and one timer a call, no tasks.

A coroutine of this flavour may be stepped outside a task, so nothing in here asks for the
current one: the deadline of a call is a timer that completes its future.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from qpsmtpd.services.clock import Clock, SystemClock
from qpsmtpd.services.dns.blocking import RETRY
from qpsmtpd.services.dns.cache import Cache
from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.exchange import Attempt, Exchange, Servers
from qpsmtpd.services.dns.link import StreamLink
from qpsmtpd.services.dns.lookups import TIMEOUT, Lookups
from qpsmtpd.services.dns.ports import Pool, Port
from qpsmtpd.services.dns.resolvconf import from_settings
from qpsmtpd.services.dns.resolvconf import nameservers as system_nameservers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qpsmtpd.services.dns.message import Question

__all__ = ["LoopDns"]


class LoopDns(Lookups):
    """The ``Dns`` contract on the running event loop; questions in flight are shared."""

    def __init__(
        self,
        nameservers: Iterable[str] | None = None,
        *,
        timeout: float = TIMEOUT,
        retry: float = RETRY,
        clock: Clock | None = None,
        cache: Cache | None = None,
    ) -> None:
        """Say whom to ask.

        Args:
            nameservers: as ``resolvconf.from_settings`` reads them; None for the system's.
            timeout: seconds for a call that does not say.
            retry: seconds to wait before another server is asked too.
            clock: ages the answers kept; None for the computer's.
            cache: where answers are kept; None for a new one.

        Raises:
            ConfigError: a name server is no address.
            ValueError: there is none.
        """
        kept = Cache(clock or SystemClock()) if cache is None else cache
        super().__init__(timeout=timeout, cache=kept)
        found = system_nameservers() if nameservers is None else from_settings(nameservers)
        self._servers = Servers(found)
        self._retry = retry
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: Pool | None = None
        self._inquiries: dict[Question, _Inquiry] = {}

    @property
    def in_flight(self) -> int:
        """Questions somebody waits for."""
        return len(self._inquiries)

    async def _ask(self, questions: Sequence[Question], seconds: float) -> list[Answer]:
        pool = self._attach()
        call = _Call(questions)
        try:
            for question in questions:
                inquiry = self._inquiries.get(question)
                if inquiry is not None:
                    inquiry.join(call)
                    continue
                exchange = Exchange(question, self._servers, self._retry)
                inquiry = self._inquiries[question] = _Inquiry(exchange, pool, self._done)
                inquiry.join(call)
                inquiry.advance()
            await call.answered(seconds)
        finally:
            call.leave()
        return call.answers()

    def _done(self, question: Question) -> None:
        del self._inquiries[question]

    def _attach(self) -> Pool:
        """Return the sockets of the running loop; those of a loop that is gone are closed."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop or self._pool is None:
            self.close()
            self._loop, self._pool = loop, Pool(loop)
        return self._pool

    def close(self) -> None:
        """Close all sockets; who still waits gets a failure."""
        for inquiry in list(self._inquiries.values()):
            inquiry.give_up("the resolver was closed")
        if self._pool is not None:
            self._pool.close()
            self._pool = None


class _Call:
    """The questions of one caller, and its deadline."""

    __slots__ = ("_found", "_future", "_inquiries", "_questions")

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions
        self._found: dict[Question, Answer] = {}
        self._inquiries: dict[Question, _Inquiry] = {}
        self._future: asyncio.Future[None] | None = None

    def waits_for(self, inquiry: _Inquiry) -> None:
        self._inquiries[inquiry.question] = inquiry

    def found(self, answer: Answer, question: Question) -> None:
        del self._inquiries[question]
        self._found[question] = answer
        if not self._inquiries:
            self._wake()

    def _wake(self) -> None:
        future = self._future
        # A loop that was closed under its callers cannot be told of anything.
        if future is not None and not future.done() and not future.get_loop().is_closed():
            future.set_result(None)

    async def answered(self, seconds: float) -> None:
        if not self._inquiries:
            return
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._future
        finally:
            timer.cancel()

    def leave(self) -> None:
        for inquiry in self._inquiries.values():
            inquiry.leave(self)

    def answers(self) -> list[Answer]:
        late = {question: inquiry.timeout() for question, inquiry in self._inquiries.items()}
        known = {**late, **self._found}
        return [known[question] for question in self._questions]


class _Inquiry:
    """One question on its way, for as long as somebody waits for it."""

    def __init__(self, exchange: Exchange, pool: Pool, done: Callable[[Question], object]) -> None:
        self.question = exchange.question
        self.timeout = exchange.timeout
        self._exchange = exchange
        self._pool = pool
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._calls: dict[_Call, None] = {}
        self._sent: list[tuple[Port, int]] = []
        self._streams: dict[StreamLink, Attempt] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def join(self, call: _Call) -> None:
        self._calls[call] = None
        call.waits_for(self)

    def leave(self, call: _Call) -> None:
        self._calls.pop(call, None)
        if not self._calls and not self._over:
            self._end()

    def give_up(self, reason: str) -> None:
        self._settle(Answer(*self.question, Status.SERVFAIL, reason=reason))

    def advance(self) -> None:
        """Make the attempts that are due, and come back for the next one."""
        now = self._loop.time()
        while not self._over and self._exchange.due <= now:
            self._make(self._exchange.attempt(now))
        if self._over:
            return
        if self._timer is not None:
            self._timer.cancel()
        due = self._exchange.due
        self._timer = self._loop.call_at(due, self.advance) if due < inf else None

    def received(self, attempt: Attempt, message: bytes) -> None:
        step = self._exchange.receive(attempt, message)
        if isinstance(step, Attempt):
            self._make(step)
        else:
            self._settle(step)
        self._go_on()

    def failed(self, attempt: Attempt, reason: str) -> None:
        self._settle(self._exchange.fail(attempt, reason))
        self._go_on()

    def _go_on(self) -> None:
        # Not for a message that was nothing to us: a flood of them would move the timer.
        if not self._over and self._exchange.due <= self._loop.time():
            self.advance()

    def _make(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        try:
            if attempt.stream:
                link = StreamLink(attempt.server, attempt.message)
                self._streams[link] = attempt
                self._loop.add_writer(link.fileno(), self._flush, link)
            else:
                self._sent.append((self._pool.send(attempt, self), attempt.number))
        except OSError as error:
            self._settle(self._exchange.fail(attempt, str(error)))

    def _flush(self, link: StreamLink) -> None:
        try:
            link.flush()
        except OSError as error:
            self.failed(self._drop(link), str(error))
            return
        if not link.writing:
            self._loop.remove_writer(link.fileno())
            self._loop.add_reader(link.fileno(), self._read, link)

    def _read(self, link: StreamLink) -> None:
        try:
            messages = link.messages()
        except OSError as error:
            self.failed(self._drop(link), str(error))
            return
        for message in messages:
            self.received(self._streams[link], message)

    def _drop(self, link: StreamLink) -> Attempt:
        if not self._loop.is_closed():
            self._loop.remove_writer(link.fileno())
            self._loop.remove_reader(link.fileno())
        link.close()
        return self._streams.pop(link)

    def _settle(self, answer: Answer | None) -> None:
        if answer is None or self._over:
            return
        self._end()
        for call in self._calls:
            call.found(answer, self.question)

    def _end(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for port, number in self._sent:
            port.forget(number)
        for link in list(self._streams):
            self._drop(link)
        self._done(self.question)
