"""Dialogs against a server in memory."""

from qpsmtpd.testing.dialog import Arrival, Dialog
from qpsmtpd.testing.link import Link
from qpsmtpd.testing.smtpd import Smtpd

__all__ = ["MemoryServer"]


class MemoryServer:
    """A ``dialog.Server`` made of a test's own."""

    def __init__(self, smtpd: Smtpd, dialog: Dialog) -> None:
        """Give a server what a dialog needs.

        Args:
            smtpd: a fresh server.
            dialog: the dialog.

        Raises:
            ConfigError: a plugin or a setting cannot be used.
        """
        self._smtpd = smtpd
        smtpd.config(dialog.config)
        smtpd.plugin_dirs.append(dialog.plugin_dir)
        smtpd.load(*dialog.plugins)

    def connect(self, arrival: Arrival) -> Link:
        """Connect a client; see ``dialog.Server``."""
        client = self._smtpd.connect(
            arrival.ip,
            remote_host=arrival.host,
            protocol=arrival.protocol,
            proxy=arrival.proxy,
            early=arrival.early,
        )
        return _Rewound(client.link, client.received)

    def wait(self, seconds: float) -> None:
        """Let time pass; see ``dialog.Server``."""
        self._smtpd.clock.advance(seconds)

    def queued(self) -> bytes:
        """Return the message that was queued last; see ``dialog.Server``."""
        return self._smtpd.queued[-1].content


class _Rewound:
    """A link whose first octets were received already, and are to be so again."""

    def __init__(self, link: Link, octets: bytes) -> None:
        self._link = link
        self._octets = octets
        self.send = link.send
        self.close = link.close

    def receive(self) -> bytes:
        """Return what has come."""
        octets, self._octets = self._octets, b""
        return octets or self._link.receive()

    @property
    def closed(self) -> bool:
        """True when the server has ended the connection."""
        return self._link.closed
