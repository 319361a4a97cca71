"""Sockets to a name server that never block: one for datagrams, one for a stream.

Rule: a socket is connected, so that the kernel drops what others send to it, and its port is the
kernel's random choice (RFC 5452 §9.2).
"""

import socket
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from qpsmtpd.services.dns.resolvconf import Nameserver

__all__ = ["DatagramLink", "Link", "StreamLink", "open_link"]

_LARGEST = 65535
#: datagrams read in one go, so that a flood of them leaves time for others
_BURST = 64


class Link(Protocol):
    """A socket to one name server."""

    writing: bool  #: there is something left to send: wait until it can be

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        ...

    def flush(self) -> None:
        """Send what can be sent.

        Raises:
            OSError: the server cannot be reached.
        """
        ...

    def messages(self) -> list[bytes]:
        """Return the whole messages that have come in.

        Raises:
            OSError: the server cannot be reached or has hung up.
        """
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


def open_link(server: "Nameserver", message: bytes, *, stream: bool) -> Link:
    """Open a socket and begin to send a message.

    Raises:
        OSError: no socket can be had, or the server cannot be reached.
    """
    if stream:
        return StreamLink(server, message)
    link = DatagramLink(server)
    try:
        link.send(message)
    except OSError:
        link.close()
        raise
    return link


@lru_cache(maxsize=32)
def _place(server: "Nameserver", kind: int) -> tuple[Any, Any]:
    """Turn an address in text form into family and socket address; asks nobody."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found = socket.getaddrinfo(server.host, server.port, type=kind, flags=flags)
    return found[0][0], found[0][4]


def _connect(server: "Nameserver", kind: int) -> socket.socket:
    family, address = _place(server, kind)
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)  # noqa: FBT003 - the signature of socket
        made.connect(address)
    except BlockingIOError:
        pass  # a stream takes its time
    except OSError:
        made.close()
        raise
    return made


class DatagramLink:
    """A UDP socket (RFC 1035 §4.2.1)."""

    __slots__ = ("_socket", "writing")

    def __init__(self, server: "Nameserver") -> None:
        """Connect the socket.

        Raises:
            OSError: no socket can be had, or there is no route.
        """
        self._socket = _connect(server, socket.SOCK_DGRAM)
        self.writing = False

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Send one message; a full buffer loses it, as the network may.

        Raises:
            OSError: the server cannot be reached.
        """
        with suppress(BlockingIOError):
            self._socket.send(message)

    def flush(self) -> None:
        """Do nothing: a datagram is sent at once or never."""

    def messages(self) -> list[bytes]:
        """Return the datagrams that have come in.

        Raises:
            OSError: the server does not listen.
        """
        found: list[bytes] = []
        try:
            while len(found) < _BURST:
                found.append(self._socket.recv(_LARGEST))
        except BlockingIOError:
            pass
        except OSError:
            if not found:
                raise
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class StreamLink:
    """A TCP connection for one question (RFC 7766 §8: a length before each message)."""

    __slots__ = ("_received", "_socket", "_unsent", "writing")

    def __init__(self, server: "Nameserver", message: bytes) -> None:
        """Begin to connect.

        Raises:
            OSError: no socket can be had, or there is no route.
        """
        self._socket = _connect(server, socket.SOCK_STREAM)
        self._unsent = len(message).to_bytes(2, "big") + message
        self._received = b""
        self.writing = True

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def flush(self) -> None:
        """Send what can be sent.

        Raises:
            OSError: the server cannot be reached.
        """
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]
        self.writing = bool(self._unsent)

    def messages(self) -> list[bytes]:
        """Return the answer when it is there.

        Raises:
            OSError: the server has hung up.
        """
        try:
            block = self._socket.recv(_LARGEST + 2)
        except BlockingIOError:
            return []
        if not block:
            raise ConnectionResetError("the server hung up")
        received = self._received = self._received + block
        if len(received) < 2:
            return []
        end = 2 + int.from_bytes(received[:2], "big")
        if len(received) < end:
            return []
        self._received = received[end:]
        return [received[2:end]]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
