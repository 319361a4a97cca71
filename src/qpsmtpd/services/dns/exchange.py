"""One question on its way: which server to ask next and when, and what an answer means.

There is no I/O and no clock in here: both flavours hold the same exchange in their hands, one
with ``poll``, one on an event loop.

Rule: a question that is repeated is a new message with a new id on another socket, and the old
one may still be answered. So a slow server is never cut off before the deadline of the call, and
a lost datagram costs one interval.
"""

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.message import Outcome, Question, decode, encode, new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpsmtpd.services.dns.resolvconf import Nameserver

__all__ = ["Attempt", "Exchange", "Servers"]

#: rounds over all servers before only waiting is left
ROUNDS = 3


class Servers:
    """The name servers to ask; one that does not answer loses its place at the head."""

    def __init__(self, servers: "Sequence[Nameserver]") -> None:
        """Keep *servers* in the order they are to be asked.

        Raises:
            ValueError: there is none.
        """
        if not servers:
            raise ValueError("no name server to ask")
        self._order = tuple(servers)

    @property
    def order(self) -> "tuple[Nameserver, ...]":
        """The servers, the one to be asked first at the head."""
        return self._order

    def failed(self, server: "Nameserver") -> None:
        """Ask another one first from now on, if *server* was the first."""
        if self._order[0] == server:
            self._order = (*self._order[1:], server)


class Attempt(NamedTuple):
    """A message to send."""

    server: "Nameserver"
    number: int  #: its message id
    message: bytes
    stream: bool = False  #: over TCP (RFC 7766 §5)


class Exchange:
    """The attempts to have one question answered."""

    __slots__ = ("_due", "_edns", "_failures", "_last", "_left", "_retry", "_servers", "question")

    def __init__(self, question: Question, servers: Servers, retry: float) -> None:
        """Prepare the first attempt.

        Args:
            question: what is asked.
            servers: whom to ask.
            retry: seconds to wait for an answer before the next server is asked too.
        """
        self.question = question
        self._servers = servers
        self._retry = retry
        self._left = list(servers.order * ROUNDS)
        self._last: Nameserver | None = None
        self._failures: set[Nameserver] = set()
        self._due = -inf
        self._edns = True

    @property
    def due(self) -> float:
        """When to make the next attempt, in seconds of the caller's clock."""
        return self._due if self._left else inf

    def attempt(self, now: float) -> Attempt | None:
        """Make the next attempt, or tell that none is left.

        Args:
            now: the caller's clock, in seconds.
        """
        if not self._left:
            return None
        if self._last is not None:
            self._servers.failed(self._last)  # it had its interval and said nothing
        self._last = self._left.pop(0)
        self._due = now + self._retry
        return self._to(self._last)

    def receive(self, attempt: Attempt, message: bytes) -> Answer | Attempt | None:
        """Read a message that came back on the socket of *attempt*.

        Returns:
            The answer; or another attempt to be made at once; or None to go on waiting.
        """
        found = decode(self.question, attempt.number, message)
        if isinstance(found, Answer):
            return found
        if found is Outcome.FOREIGN:
            return None
        if found is Outcome.TRUNCATED and not attempt.stream:
            return self._to(attempt.server, stream=True)
        if found is Outcome.NO_EDNS and self._edns:
            self._edns = False
            return self._to(attempt.server, stream=attempt.stream)
        return self.fail(attempt, found.value)

    def fail(self, attempt: Attempt, reason: str) -> Answer | None:
        """Note that a server cannot be reached, or says it cannot tell.

        Returns:
            The failure, when no server is left; else None, and another attempt is due.
        """
        server = attempt.server
        self._failures.add(server)
        self._servers.failed(server)
        self._left = [other for other in self._left if other != server]
        if self._failures.issuperset(self._servers.order):
            return Answer(*self.question, Status.SERVFAIL, reason=f"{server}: {reason}")
        self._due = -inf
        return None

    def timeout(self) -> Answer:
        """Give up."""
        return Answer(*self.question, Status.TIMEOUT, reason="no name server answered in time")

    def _to(self, server: "Nameserver", *, stream: bool = False) -> Attempt:
        number = new_id()
        return Attempt(server, number, encode(self.question, number, edns=self._edns), stream)
