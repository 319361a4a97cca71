"""The wire between a client of a test and whatever serves it.

Rule: dialogs know nothing else of a server. What offers these methods, be it memory or a socket
to a daemon, can run them all.
"""

from typing import Protocol

__all__ = ["Link", "SilenceError"]


class SilenceError(AssertionError):
    """The client waits for a reply, and the server does for the client."""


class Link(Protocol):
    """One connection, seen from the client."""

    def send(self, data: bytes) -> None:
        """Send octets; those that nobody takes any more are lost, as on a network."""
        ...

    def receive(self) -> bytes:
        """Return what the server has sent and nobody has received yet.

        In memory all that will come is there; a link to somewhere else waits for the first octet.

        Returns:
            The octets; none when the server has closed, or waits for the client.
        """
        ...

    @property
    def closed(self) -> bool:
        """True when the server has ended the connection."""
        ...

    def close(self) -> None:
        """End the connection from the client's side; does nothing the second time."""
        ...
