"""A control socket between a process and the one that owns it: one JSON object per line."""

import json
import socket
from typing import Any, Final

__all__ = ["Channel"]

_LARGEST: Final = 1 << 20


class Channel:
    """One end; never blocks."""

    __slots__ = ("_received", "_socket")

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self._socket = end
        self._received = b""

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Make both ends; the second is to be handed to the other process."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def fileno(self) -> int:
        """Descriptor to wait on; -1 once closed."""
        return self._socket.fileno()

    def send(self, **message: Any) -> bool:
        """Send one object.

        Returns:
            False when nobody is left at the other end, or it no longer reads.
        """
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def receive(self) -> list[dict[str, Any]] | None:
        """Take the objects that have arrived.

        Returns:
            Them, or None when the other end is gone and nothing is left to read. A line that is
            no object, or none after 1 MiB, counts as the end: the other side is not ours.
        """
        try:
            data = self._socket.recv(65536)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        *lines, self._received = (self._received + data).split(b"\n")
        if (not data and not lines) or len(self._received) > _LARGEST:
            return None
        try:
            messages = [json.loads(line) for line in lines]
        except ValueError:
            return None
        return messages if all(isinstance(message, dict) for message in messages) else None

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
