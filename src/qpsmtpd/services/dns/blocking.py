"""DNS for processes that serve one session at a time: waits in ``poll``, never suspends."""

import time
from collections import deque
from math import ceil
from typing import TYPE_CHECKING

from qpsmtpd.services.clock import Clock, SystemClock
from qpsmtpd.services.dns.cache import Cache
from qpsmtpd.services.dns.contract import Answer
from qpsmtpd.services.dns.exchange import Attempt, Exchange, Servers
from qpsmtpd.services.dns.link import Link, open_link
from qpsmtpd.services.dns.lookups import TIMEOUT, Lookups
from qpsmtpd.services.dns.resolvconf import from_settings
from qpsmtpd.services.dns.resolvconf import nameservers as system_nameservers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qpsmtpd.services.dns.message import Question

__all__ = ["RETRY", "BlockingDns"]

#: seconds until a question is repeated
RETRY = 2.0
#: questions of one call that are on their way at the same time; each has a socket
PARALLEL = 64


class BlockingDns(Lookups):
    """The ``Dns`` contract on sockets of its own for each call; safe after a fork, on threads."""

    def __init__(
        self,
        nameservers: "Iterable[str] | None" = None,
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

    async def _ask(self, questions: "Sequence[Question]", seconds: float) -> list[Answer]:
        call = _Call([Exchange(each, self._servers, self._retry) for each in questions])
        try:
            call.run(time.monotonic() + seconds)
        finally:
            call.close()  # a signal's handler may raise anywhere in there
        return call.answers()


class _Call:
    """Questions asked together, until each is answered or the deadline has come."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        from select import poll  # noqa: PLC0415 - not there on every system that can import us

        self._all = exchanges
        self._waiting = deque(exchanges)
        self._active: dict[Exchange, list[int]] = {}  # with the descriptors of its links
        self._links: dict[int, tuple[Link, Exchange, Attempt]] = {}
        self._found: dict[Exchange, Answer] = {}
        self._poll = poll()

    def answers(self) -> list[Answer]:
        found = self._found
        return [found[each] if each in found else each.timeout() for each in self._all]

    def run(self, deadline: float) -> None:
        while self._waiting or self._active:
            while self._waiting and len(self._active) < PARALLEL:
                self._active[self._waiting.popleft()] = []
            now = time.monotonic()
            for exchange in list(self._active):
                while exchange in self._active and exchange.due <= now:
                    self._try(exchange, exchange.attempt(now))
            if not self._active:
                continue
            until = min(deadline, *(exchange.due for exchange in self._active))
            now = time.monotonic()
            for descriptor, _ in self._poll.poll(max(0, ceil((until - now) * 1000))):
                if descriptor in self._links:  # else closed by an answer just read
                    self._serve(descriptor)
            if now >= deadline:  # so what came in while we were busy was looked at once
                return

    def _try(self, exchange: Exchange, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        try:
            link = open_link(attempt.server, attempt.message, stream=attempt.stream)
        except OSError as error:
            self._settle(exchange, exchange.fail(attempt, str(error)))
            return
        descriptor = link.fileno()
        self._links[descriptor] = (link, exchange, attempt)
        self._active[exchange].append(descriptor)
        self._poll.register(descriptor, _events(link))

    def _serve(self, descriptor: int) -> None:
        link, exchange, attempt = self._links[descriptor]
        try:
            if link.writing:
                link.flush()
                self._poll.modify(descriptor, _events(link))
                return
            messages = link.messages()
        except OSError as error:
            self._drop(descriptor)
            self._settle(exchange, exchange.fail(attempt, str(error)))
            return
        for message in messages:
            step = exchange.receive(attempt, message)
            if isinstance(step, Attempt):
                self._try(exchange, step)
            else:
                self._settle(exchange, step)
            if exchange not in self._active:
                return

    def _settle(self, exchange: Exchange, answer: Answer | None) -> None:
        if answer is not None:
            self._found[exchange] = answer
            for descriptor in list(self._active[exchange]):
                self._drop(descriptor)
            del self._active[exchange]

    def _drop(self, descriptor: int) -> None:
        link, exchange, _ = self._links.pop(descriptor)
        self._active[exchange].remove(descriptor)
        self._poll.unregister(descriptor)
        link.close()

    def close(self) -> None:
        for link, *_ in self._links.values():
            link.close()
        self._links.clear()


def _events(link: Link) -> int:
    from select import POLLIN, POLLOUT  # noqa: PLC0415 - as above

    return POLLOUT if link.writing else POLLIN
