"""A client that was accepted and not yet greeted."""

from typing import TYPE_CHECKING, Any

from qpsmtpd.deploy.limits import Limits, plain_address

if TYPE_CHECKING:
    from qpsmtpd.deploy.scoreboard import Row
    from qpsmtpd.deploy.sources import Listener

__all__ = ["Client"]


class Client:
    """Who connected, where, and how many others there are.

    It is what pre_connection handlers get, and what an engine makes a session from.
    """

    __slots__ = (
        "_key",
        "_limits",
        "_row",
        "connections_from_ip",
        "listener",
        "local_ip",
        "local_port",
        "max_conn_ip",
        "notes",
        "remote_ip",
        "remote_port",
    )

    def __init__(
        self, remote: tuple[str, int], local: tuple[str, int], listener: "Listener"
    ) -> None:
        """Describe a client.

        Args:
            remote: its address and port; "" and 0 for the peer of a Unix socket.
            local: the address and port it connected to.
            listener: where it came in.
        """
        self.remote_ip = plain_address(remote[0])
        self.remote_port = remote[1]
        self.local_ip = plain_address(local[0])
        self.local_port = local[1]
        self.listener = listener
        self.notes: dict[str, Any] = {}
        self.max_conn_ip = 0  #: most connections of one address; 0 for no limit
        self.connections_from_ip = 0  #: of its address, without this one
        self._limits: Limits | None = None
        self._row: Row | None = None
        self._key: bytes | None = None

    @property
    def connections(self) -> int:
        """How many clients all workers serve, without this one."""
        return 0 if self._row is None else self._row.board.total("open") - 1

    def enter(self, limits: Limits, row: "Row") -> str | None:
        """Be counted.

        Returns:
            None, or the text of a 421.
        """
        refused = limits.enter()
        if refused is not None:
            return refused
        self._limits, self._row = limits, row
        self.max_conn_ip = limits.per_ip
        if self.listener.proxy or not self.remote_ip:
            return None  # the address of a proxy says nothing about who uses it
        refused = self._count(self.remote_ip)
        if refused is not None:
            self.leave()
        return refused

    def _count(self, ip: str) -> str | None:
        if self._limits is None:
            return None
        key, count, refused = self._limits.enter_address(ip)
        if refused is None:
            self._key = key
            self.connections_from_ip = count - 1
        return refused

    def leave(self) -> None:
        """Be counted no more."""
        if self._limits is None:
            return
        if self._key is not None:
            self._limits.leave_address(self._key)
            self._key = None
        self._limits.leave()
        self._limits = None

    def readdress(self, ip: str, port: int = 0) -> str | None:
        """Count this connection under another address: a trusted proxy named its client.

        Returns:
            None, or the text of a 421 when that address has too many connections.
        """
        if self._key is not None and self._limits is not None:
            self._limits.leave_address(self._key)
            self._key = None
        self.remote_ip, self.remote_port = plain_address(ip), port
        return self._count(self.remote_ip)

    def message_taken(self) -> None:
        """Count a message that was accepted from it."""
        if self._row is not None:
            self._row.add("messages")
