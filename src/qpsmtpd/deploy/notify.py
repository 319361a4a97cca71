"""Tell systemd how the daemon is doing (``sd_notify``): one datagram, no library."""

import os
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Sends states to the supervisor that asked for them; without one, does nothing."""

    __slots__ = ("_address", "watchdog")

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        #: seconds between two signs of life, None when nobody waits for them
        self.watchdog = int(usec) / 2e6 if usec.isdecimal() and ours and self._address else None

    def send(self, *states: str) -> None:
        """Send states such as ``READY=1``; that the supervisor is gone is no error."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto("\n".join(states).encode(), socket.MSG_DONTWAIT, self._address)
            except OSError:
                return

    def ready(self, status: str) -> None:
        """Start or reload is complete."""
        self.send("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """A reload begins."""
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon is about to end."""
        self.send("STOPPING=1")
