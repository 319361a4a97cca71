"""relay - decide which clients may send mail to anywhere

DESCRIPTION

Makes listed clients relay clients: rcpt_ok takes every recipient of theirs, and most checks leave
them alone. In this order:

1. norelayclients lists the address: it is no relay client.
2. The environment variable `RELAYCLIENT` is set, be it to nothing: it is one. Programs that start
   a server for each connection, such as tcpserver, set it.
3. relayclients or morerelayclients lists the address: it is one. So is `::1`; 127.0.0.1 has to
   be listed.

`relay only 1` takes mail from relay clients alone, for any recipient.

CONTROL FILES

relayclients, norelayclients: lines of one address (`192.0.2.1`, `2001:db8::1`, in any spelling),
the beginning of one (`192.0.2.`, `2001:db8:`), or a network (`192.0.2.0/24`, `2001:db8::/32`).
The beginning of an IPv6 address is made of whole groups; the last colon may be left out. A network
whose address has bits outside the mask is taken, and named in the log. A line that cannot be read
is skipped, and named in the log.
morerelayclients: a map (`morerelayclients.cdb`) whose keys are addresses, or beginnings of one
that end in a dot or colon; IPv6 in lower case, either as short as can be or with all eight groups
of four digits.

RESULTS

connect: always DECLINED. rcpt, with `only`: OK for relay clients, DENY `relaying denied` for all
others.

SEE ALSO

rcpt_ok, hosts_allow
"""

import os
from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from qpsmtpd.plugin import (
    DENY,
    LOGERROR,
    LOGINFO,
    LOGWARN,
    OK,
    Answer,
    ConfigError,
    Connection,
    Plugin,
    Transaction,
)

#: how IPv6 writes an IPv4 address (RFC 4291 §2.5.5.2)
_MAPPED = bytes(10) + b"\xff\xff"

_Sets = dict[int, dict[int, set[int]]]


class _Networks:
    """One control file, read once for each version of it."""

    __slots__ = ("lines", "sets")

    def __init__(self, lines: list[str] | None = None, sets: _Sets | None = None) -> None:
        self.lines = lines
        #: by octets of an address and bits behind the network part: network parts
        self.sets: _Sets = sets or {}

    def __contains__(self, packed: bytes) -> bool:
        number = int.from_bytes(packed)
        for shift, prefixes in self.sets.get(len(packed), {}).items():
            if number >> shift in prefixes:
                return True
        return False


class Relay(Plugin):
    """Knows the relay clients."""

    args: "Relay.Args"

    class Args:
        only: bool = False  #: take no mail from anybody else

    def register(self) -> None:
        """Set up the tables."""
        self.tables: dict[str, _Networks] = {}
        if self.args.only:
            self.register_hook("rcpt", self.relay_only)

    def hook_connect(self, connection: Connection) -> None:
        """Look the client up."""
        try:
            packed = _pack(connection.remote_ip)
        except OSError:  # a client without an IP address, on a Unix socket
            packed = b""
        if packed in self.networks("norelayclients"):
            connection.relay_client = False
            self.log(LOGINFO, "skip, in norelayclients", connection)
            return
        if "RELAYCLIENT" in os.environ:
            why = "environment"
        elif packed in self.networks("relayclients"):
            why = "relayclients"
        elif packed and self.in_map(packed):
            why = "morerelayclients"
        elif packed == _LOOPBACK:
            why = "loopback"
        else:
            self.log(LOGINFO, "skip, no match", connection)
            return
        connection.relay_client = True
        self.log(LOGINFO, f"pass, {why}", connection)

    def relay_only(self, transaction: Transaction, recipient: object, params: object) -> Answer:
        """Take recipients of relay clients, and no others."""
        if transaction.connection.relay_client:
            self.log(LOGINFO, "pass, relay client", transaction)
            return OK
        self.log(LOGINFO, "fail, not a relay client", transaction)
        return DENY, "relaying denied"

    def networks(self, name: str) -> _Networks:
        """The networks of a control file."""
        lines = self.config.lines(name)
        table = self.tables.get(name)
        if table is None or table.lines is not lines:
            table = self.tables[name] = self.read(name, lines)
        return table

    def read(self, name: str, lines: list[str]) -> _Networks:
        """Prepare the lines of a control file."""
        sets: _Sets = {}
        for line in lines:
            try:
                octets, bits, number = _network(line)
            except ConfigError as error:
                self.log(LOGERROR, f"{name}: {line!r} is skipped: {error}")
                continue
            shift = octets * 8 - bits
            if number >> shift << shift != number:
                text = f"{name}: {line} has bits outside its mask; they are ignored"
                self.log(LOGWARN, text)
            sets.setdefault(octets, {}).setdefault(shift, set()).add(number >> shift)
        return _Networks(lines, sets)

    def in_map(self, packed: bytes) -> bool:
        """True when the map has the address or a beginning of it."""
        known = self.config.map("morerelayclients")
        return bool(known) and any(key in known for key in _keys(packed))


def _pack(address: str) -> bytes:
    """Turn an address to octets; IPv4 addresses written as IPv6 ones count as IPv4.

    Raises:
        OSError: it is none.
    """
    packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])
    return packed[12:] if packed.startswith(_MAPPED) else packed


_LOOPBACK = _pack("::1")


def _network(line: str) -> tuple[int, int, int]:
    """Read an address, the beginning of one, or a network.

    Returns:
        Octets of the address, bits of the network part, the address as a number.

    Raises:
        ConfigError: it is none of these.
    """
    address, slash, length = line.partition("/")
    try:
        packed = _pack(address)
    except OSError:
        if slash:
            raise ConfigError(f"{address!r} is no address") from None
        return _beginning(line)
    bits = len(packed) * 8
    if slash:
        if not (length.isascii() and length.isdigit() and int(length) <= bits):
            raise ConfigError(f"/{length} is no length of a network, /0 to /{bits} are")
        bits = int(length)
    return len(packed), bits, int.from_bytes(packed)


def _beginning(line: str) -> tuple[int, int, int]:
    """Read the beginning of an address, as ``_network`` does."""
    if ":" in line or not line.endswith("."):
        groups, most, base, size = line.removesuffix(":").split(":"), 7, 16, 16
        fine = ":" in line and all(0 < len(group) <= 4 for group in groups)
    else:
        groups, most, base, size = line[:-1].split("."), 3, 10, 8
        fine = all(group.isdigit() for group in groups)
    try:
        parts = [int(group, base) for group in groups]
    except ValueError:
        parts = []
    if not fine or not 0 < len(parts) <= most or max(parts) >> size:
        raise ConfigError(
            "neither an address, nor the beginning of one (192.0.2. or 2001:db8:), nor a network"
        )
    octets = (most + 1) * size // 8
    number = 0
    for part in parts:
        number = number << size | part
    bits = len(parts) * size
    return octets, bits, number << octets * 8 - bits


def _keys(packed: bytes) -> Iterator[str]:
    """Spell an address, and its beginnings from long to short."""
    if len(packed) == 4:
        parts, separator = [str(octet) for octet in packed], "."
    else:
        yield inet_ntop(AF_INET6, packed)
        parts, separator = [packed[i : i + 2].hex() for i in range(0, 16, 2)], ":"
    yield separator.join(parts)
    for length in range(len(parts) - 1, 0, -1):
        yield separator.join(parts[:length]) + separator
