"""A real name server for tests: on loopback, with records from memory, and with bad manners.

It runs on a thread of the test's process, answers over UDP and TCP on one port, and notes what
it was asked. Rule: it listens on 127.0.0.1 only, and asks nobody.
"""

import selectors
import socket
import time
from contextlib import suppress
from enum import Enum
from functools import partial
from heapq import heappop, heappush
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from qpsmtpd.services.dns.name import normal
from qpsmtpd.services.dns.reply import Asked, read, write
from qpsmtpd.services.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Asked", "Manners", "StubServer"]

_LARGEST = 65535


class Manners(Enum):
    """What a server may do instead of answering."""

    SILENT = "says nothing"
    SERVFAIL = "says that it failed"
    REFUSED = "says that it does not want to"
    NO_EDNS = "does not understand EDNS, and answers only without"
    TRUNCATED = "cuts the answer over UDP, and gives it over TCP"
    TCP_SILENT = "cuts the answer over UDP, and says nothing over TCP"
    TCP_HANG_UP = "cuts the answer over UDP, and hangs up over TCP"
    WRONG_ID = "answers with another message id"
    WRONG_QUESTION = "answers another question"
    WRONG_SOURCE = "answers from another port"
    FORGED_FIRST = "sends wrong id and wrong question, then the answer"
    GARBAGE = "sends a header with rubbish after it"


_CUT = {Manners.TRUNCATED, Manners.TCP_SILENT, Manners.TCP_HANG_UP}
_RIGHT = {None, Manners.FORGED_FIRST, Manners.WRONG_SOURCE, Manners.NO_EDNS}
_RCODES: dict[Manners | None, int] = {Manners.SERVFAIL: 2, Manners.REFUSED: 5}


class _Rule(NamedTuple):
    manners: Manners
    times: int  # questions left for it; below zero: all


class StubServer:
    """A name server to be used as a context manager.

    Attributes:
        zone: the records; may be changed while it runs.
        asked: the questions that came, in order, as ``Asked``.
        authentic: set the AD bit in answers.
    """

    def __init__(
        self, records: "Mapping[str, Mapping[str, Iterable[Any]]] | Zone | None" = None
    ) -> None:
        """Say what there is.

        Args:
            records: as for ``Zone``, or one.
        """
        self.zone = records if isinstance(records, Zone) else Zone(records)
        self.asked: list[Asked] = []
        self.authentic = False
        self._rules: dict[str, _Rule] = {}
        self._delays: dict[str, float] = {}
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._streams: dict[socket.socket, bytes] = {}
        self._udp, self._tcp = _sockets()
        self._stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stranger.bind(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self._refused = Event()
        self._selector = selectors.DefaultSelector()
        self._thread = Thread(target=self._run, name="dns stub", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, as a setting for name servers takes it."""
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The UDP and TCP port it listens on."""
        port: int = self._udp.getsockname()[1]
        return port

    def misbehave(self, name: str, manners: Manners, *, times: int = -1) -> None:
        """Answer the next *times* questions about a name with bad manners; -1 for all."""
        self._rules[normal(name)] = _Rule(manners, times)

    def delay(self, name: str, seconds: float) -> None:
        """Take *seconds* for every answer about a name."""
        self._delays[normal(name)] = seconds

    def stop_listening(self) -> None:
        """Accept no TCP connection any more; to be called before the first is made."""
        self._wake.send(b".")
        self._refused.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and give everything back."""
        self._wake.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._selector.close()
        for each in (*self._streams, self._udp, self._tcp, self._stranger, self._woken):
            each.close()

    def _run(self) -> None:
        for each in (self._udp, self._tcp, self._woken):
            self._selector.register(each, selectors.EVENT_READ)
        while True:
            wait = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._woken:
                    if not self._woken.recv(1):
                        return
                    self._refuse()
                elif key.fileobj is self._udp:
                    self._datagram()
                elif key.fileobj is self._tcp:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._stream(key.fileobj)
            while self._later and self._later[0][0] <= time.monotonic():
                with suppress(OSError):  # whoever asked may have gone
                    heappop(self._later)[2]()

    def _refuse(self) -> None:
        self._selector.unregister(self._tcp)
        self._tcp.close()
        self._refused.set()

    def _datagram(self) -> None:
        message, source = self._udp.recvfrom(_LARGEST)
        asked = read(message, "udp", source[1])
        self.asked.append(asked)
        manners = self._manners(asked)
        for sender, reply in self._replies(asked, manners):
            self._schedule(asked, partial(sender.sendto, reply, source))

    def _replies(
        self, asked: Asked, manners: Manners | None
    ) -> "Iterator[tuple[socket.socket, bytes]]":
        """Yield what to send, and on which socket."""
        if manners in {Manners.WRONG_ID, Manners.FORGED_FIRST}:
            yield self._udp, write(asked, self.zone, number=asked.number ^ 1)
        if manners in {Manners.WRONG_QUESTION, Manners.FORGED_FIRST}:
            yield self._udp, write(asked, self.zone, name="forged.example")
        if manners in _RCODES:
            yield self._udp, write(asked, self.zone, rcode=_RCODES[manners])
        elif manners in _CUT:
            yield self._udp, write(asked, self.zone, truncated=True)
        elif manners is Manners.NO_EDNS and asked.edns:
            yield self._udp, write(asked, self.zone, rcode=1)
        elif manners is Manners.GARBAGE:
            right = write(asked, self.zone)
            yield self._udp, right[: asked.end] + b"\xc0\xff" * 20
        elif manners in _RIGHT:
            sender = self._stranger if manners is Manners.WRONG_SOURCE else self._udp
            yield sender, write(asked, self.zone, authentic=self.authentic)

    def _accept(self) -> None:
        made, _ = self._tcp.accept()
        self._streams[made] = b""
        self._selector.register(made, selectors.EVENT_READ)

    def _stream(self, stream: socket.socket) -> None:
        try:
            block = stream.recv(_LARGEST)
        except OSError:
            block = b""
        received = self._streams[stream] + block
        if not block:
            self._hang_up(stream)
            return
        self._streams[stream] = received
        if len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2], "big"):
            return
        asked = read(received[2:], "tcp", stream.getpeername()[1])
        self.asked.append(asked)
        manners = self._manners(asked)
        if manners is Manners.TCP_HANG_UP:
            self._hang_up(stream)
        elif manners not in {Manners.TCP_SILENT, Manners.SILENT}:
            reply = write(asked, self.zone, authentic=self.authentic, stream=True)
            framed = len(reply).to_bytes(2, "big") + reply
            self._schedule(asked, partial(stream.sendall, framed))

    def _hang_up(self, stream: socket.socket) -> None:
        self._selector.unregister(stream)
        del self._streams[stream]
        stream.close()

    def _manners(self, asked: Asked) -> Manners | None:
        rule = self._rules.get(asked.name)
        if rule is None or rule.times == 0:
            return None
        self._rules[asked.name] = rule._replace(times=rule.times - 1)
        return rule.manners

    def _schedule(self, asked: Asked, send: "Callable[[], object]") -> None:
        when = time.monotonic() + self._delays.get(asked.name, 0.0)
        heappush(self._later, (when, len(self.asked) * 8 + len(self._later), send))


def _sockets() -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to one port that is free for both."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            continue
        tcp.listen(64)
        return udp, tcp
