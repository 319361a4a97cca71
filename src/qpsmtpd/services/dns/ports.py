"""UDP sockets that an event loop shares among its questions.

A socket for each question would cost a system call or five; one for all of them would let a
forger guess the port. So there are a few to a server, a question takes any of them, and each is
given up after a number of questions.
"""

from random import SystemRandom
from typing import TYPE_CHECKING, Protocol

from qpsmtpd.services.dns.link import DatagramLink

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from qpsmtpd.services.dns.exchange import Attempt
    from qpsmtpd.services.dns.resolvconf import Nameserver

__all__ = ["OPEN", "QUESTIONS", "Asker", "Pool", "Port"]

#: sockets to a server at the same time, those given up not counted
OPEN = 8
#: questions after which a socket is given up
QUESTIONS = 100

_choose = SystemRandom().choice


class Asker(Protocol):
    """Who sent an attempt and hears what became of it."""

    def received(self, attempt: "Attempt", message: bytes) -> None:
        """Take a message with the id of the attempt."""
        ...

    def failed(self, attempt: "Attempt", reason: str) -> None:
        """Take note that the server cannot be reached."""
        ...


class Port:
    """One socket and the attempts it waits for, by message id."""

    __slots__ = ("_link", "_loop", "_server", "left", "pending")

    def __init__(self, loop: "AbstractEventLoop", server: "Nameserver") -> None:
        """Open the socket.

        Raises:
            OSError: none can be had, or there is no route.
        """
        self._loop = loop
        self._server = server
        self._link = DatagramLink(server)
        self.left = QUESTIONS
        self.pending: dict[int, tuple[Attempt, Asker]] = {}
        loop.add_reader(self._link.fileno(), self._read)

    def send(self, attempt: "Attempt", asker: Asker) -> None:
        """Send an attempt.

        Raises:
            OSError: the server cannot be reached.
        """
        self._link.send(attempt.message)
        self.left -= 1
        self.pending[attempt.number] = (attempt, asker)

    def forget(self, number: int) -> None:
        """Wait no longer for an attempt."""
        self.pending.pop(number, None)
        if self.left <= 0 and not self.pending:
            self.close()

    def close(self) -> None:
        """Close the socket."""
        descriptor = self._link.fileno()
        if descriptor >= 0:
            self.left = 0
            if not self._loop.is_closed():
                self._loop.remove_reader(descriptor)
            self._link.close()

    def _read(self) -> None:
        try:
            messages = self._link.messages()
        except OSError as error:
            # What the kernel tells is about some earlier message: all went to one server.
            self.close()
            pending, self.pending = self.pending, {}
            for attempt, asker in pending.values():
                asker.failed(attempt, str(error))
            return
        for message in messages:
            waiting = self.pending.get(int.from_bytes(message[:2], "big"))
            if waiting is not None:
                attempt, asker = waiting
                asker.received(attempt, message)


class Pool:
    """The open sockets by server."""

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = loop
        self._open: dict[Nameserver, list[Port]] = {}

    def send(self, attempt: "Attempt", asker: Asker) -> Port:
        """Send an attempt on any of the sockets to its server.

        Raises:
            OSError: no socket can be had, or the server cannot be reached.
        """
        found = self._open.setdefault(attempt.server, [])
        found[:] = [port for port in found if port.left > 0]
        free = [port for port in found if attempt.number not in port.pending]
        if len(found) < OPEN or not free:
            port = Port(self._loop, attempt.server)
            found.append(port)
        else:
            port = _choose(free)
        port.send(attempt, asker)
        return port

    def close(self) -> None:
        """Close all sockets."""
        for ports in self._open.values():
            for port in ports:
                port.close()
        self._open.clear()
