"""How many clients at once: in all, and of one address, over all workers of the daemon.

Rule: add, then check. A worker counts a client before it sums what the others count, so that of
two workers that take a client at the same moment at least one sees the other: a limit may turn
away one client too many, and never serves one.

A worker knows its own clients exactly. Of the others' it knows buckets of addresses, whose
collisions can only make it count too many.
"""

import socket
from typing import Final

from qpsmtpd.deploy.scoreboard import Row

__all__ = ["Limits", "network", "plain_address"]

_MAPPED: Final = "::ffff:"
_TOO_MANY: Final = "4.3.2 Too many connections, please try again later"


def plain_address(ip: str) -> str:
    """Show an address without zone, and an IPv4-mapped one as IPv4."""
    ip = ip.partition("%")[0]
    if ip[:7].lower() == _MAPPED and "." in ip:
        return ip[7:]
    return ip


def network(ip: str, ipv6_prefix: int) -> bytes:
    """The octets under which a client is counted.

    Args:
        ip: plain address.
        ipv6_prefix: bits that make an IPv6 client.
    """
    if ":" not in ip:
        return ip.encode("ascii", "replace")  # any name for one peer will do
    number = int.from_bytes(socket.inet_pton(socket.AF_INET6, ip))
    shift = 128 - ipv6_prefix
    return (number >> shift << shift).to_bytes(16)


class Limits:
    """One worker's part in counting."""

    __slots__ = ("_own", "_row", "ipv6_prefix", "per_ip", "total")

    def __init__(self, row: Row, total: int, per_ip: int, ipv6_prefix: int = 64) -> None:
        """Begin with no client.

        Args:
            row: this worker's row of the scoreboard.
            total: most connections in all; 0 for no limit.
            per_ip: most connections of one address; 0 for no limit.
            ipv6_prefix: bits that make an IPv6 client.
        """
        self._row = row
        self._own: dict[bytes, tuple[int, tuple[int, int]]] = {}
        self.total = total
        self.per_ip = per_ip
        self.ipv6_prefix = ipv6_prefix

    def enter(self) -> str | None:
        """Count a connection that was just accepted.

        Returns:
            None, or the text of a 421 when there are too many; it is not counted then.
        """
        row = self._row
        row.add("open")
        if self.total and row.board.total("open") > self.total:
            row.add("open", -1)
            return _TOO_MANY
        return None

    def leave(self) -> None:
        """Stop counting a connection that ``enter`` let in."""
        self._row.add("open", -1)

    def enter_address(self, ip: str, limit: int | None = None) -> tuple[bytes, int, str | None]:
        """Count a client under its address.

        Args:
            ip: plain address.
            limit: most connections of it; None for the general one.

        Returns:
            What ``leave_address`` wants, how many connections the address now has, and None or
            the text of a 421 when it has too many; it is not counted then.
        """
        key = network(ip, self.ipv6_prefix)
        board, index = self._row.board, self._row.index
        known = self._own.get(key)
        own, buckets = known or (0, board.buckets(key))
        own += 1
        self._own[key] = own, buckets
        board.count(buckets, index, 1)
        count = own + board.others(buckets, index)
        allowed = self.per_ip if limit is None else limit
        if allowed and count > allowed:
            self.leave_address(key)
            text = f"4.7.0 Too many connections from your address [{ip}], please try again later"
            return key, count - 1, text
        return key, count, None

    def leave_address(self, key: bytes) -> None:
        """Stop counting a client that ``enter_address`` let in."""
        own, buckets = self._own[key]
        if own == 1:
            del self._own[key]
        else:
            self._own[key] = own - 1, buckets
        self._row.board.count(buckets, self._row.index, -1)
