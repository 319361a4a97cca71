"""hosts_allow - limit connections by address, and refuse or pass listed addresses

DESCRIPTION

Asked before a client is greeted. First the number of connections that the client's address has at
the moment, this one included, is held against the server's `max_conn_ip`; 0 means no limit. A good
record in karma (above 5) allows three connections more, a bad one (below 0) allows one only, where
karma is loaded above this plugin and knows the address.

Then the address is looked up in the control file; the first line that matches decides.

CONTROL FILES

hosts_allow: lines of address or network, result, and optionally a text for the client.

    192.0.2.1          DENY      we know you
    198.51.100.0/24    DENYSOFT
    2001:db8::/32      DECLINED

The results are `DENY`, `DENYSOFT`, `DENY_DISCONNECT`, `DENYSOFT_DISCONNECT`, and `DECLINED`, which
lets the client pass whatever follows in the file. A network whose address has bits outside the
mask is taken, and named in the log. A line that cannot be read is skipped, and named in the log.

RESULTS

pre_connection: DENYSOFT `too many connections from <address>, try again later`; the result and
text of the matching line, by default `Sorry, service not available for you` or
`Sorry, try again later`; DECLINED otherwise.

NOTES

Reads `karma_history` of the client.

SEE ALSO

karma, relay
"""

from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, NamedTuple

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    LOGERROR,
    LOGINFO,
    LOGWARN,
    Answer,
    ConfigError,
    Plugin,
    Result,
    result,
)

#: how IPv6 writes an IPv4 address (RFC 4291 §2.5.5.2)
_MAPPED = bytes(10) + b"\xff\xff"


class _Rule(NamedTuple):
    """What one line says; smaller ones come first in the file."""

    position: int
    answer: Result
    text: str


#: by octets of an address: bits behind the network part, and rules by network part
_Networks = dict[int, dict[int, dict[int, _Rule]]]


class _Table:
    """The control file, read once for each version of it."""

    __slots__ = ("current",)

    def __init__(self) -> None:
        self.current: tuple[list[str] | None, _Networks] = (None, {})


class HostsAllow(Plugin):
    """Looks at clients before they are greeted."""

    def register(self) -> None:
        """Set up the table."""
        self.table = _Table()

    def hook_pre_connection(self, client: Any) -> Answer:
        """Count, then look the address up."""
        address: str = client.remote_ip
        limit = self.limit(client)
        if limit and client.connections_from_ip + 1 > limit:
            self.log(LOGINFO, f"fail, too many connections from {address}")
            return DENYSOFT, f"too many connections from {address}, try again later"
        rule = self.rule(address)
        if rule is None or rule.answer is DECLINED:
            return DECLINED
        self.log(LOGINFO, f"fail, {address} is listed")
        return rule.answer, rule.text

    @staticmethod
    def limit(client: Any) -> int:
        """How many connections the client's address may have; 0: any number."""
        limit: int = client.max_conn_ip
        history = client.notes.get("karma_history")  # set by karma, if at all
        if limit and history is not None:
            if history > 5:
                return limit + 3
            if history < 0:
                return 1
        return limit

    def rule(self, address: str) -> _Rule | None:
        """Find the first line that matches *address*."""
        lines = self.config.lines("hosts_allow")
        known, networks = self.table.current
        if lines is not known:
            networks = self.read(lines)
            self.table.current = lines, networks
        if not networks:
            return None
        try:
            packed = _pack(address)
        except OSError:  # a client without an IP address, on a Unix socket
            return None
        number = int.from_bytes(packed)
        found: _Rule | None = None
        for shift, rules in networks.get(len(packed), {}).items():
            rule = rules.get(number >> shift)
            if rule is not None and (found is None or rule < found):
                found = rule
        return found

    def read(self, lines: list[str]) -> _Networks:
        """Prepare the lines of the control file."""
        networks: _Networks = {}
        for position, line in enumerate(lines):
            try:
                octets, shift, prefix, rule = self.parse(position, line)
            except ConfigError as error:
                self.log(LOGERROR, f"hosts_allow: {line!r} is skipped: {error}")
                continue
            networks.setdefault(octets, {}).setdefault(shift, {}).setdefault(prefix, rule)
        return networks

    def parse(self, position: int, line: str) -> tuple[int, int, int, _Rule]:
        """Read one line.

        Returns:
            Octets of the address, bits behind the network part, network part, rule.

        Raises:
            ConfigError: it cannot be read.
        """
        network, code, text = (*line.split(None, 2), "", "")[:3]
        address, slash, bits = network.partition("/")
        try:
            packed = _pack(address)
        except OSError:
            raise ConfigError(f"{address!r} is no address") from None
        size = len(packed) * 8
        if slash and not (bits.isascii() and bits.isdigit() and int(bits) <= size):
            raise ConfigError(f"/{bits} is no length of a network, /0 to /{size} are")
        shift = size - int(bits) if slash else 0
        number = int.from_bytes(packed)
        if number >> shift << shift != number:
            self.log(
                LOGWARN, f"hosts_allow: {network} has bits outside its mask; they are ignored"
            )
        try:
            answer = result(code)
        except ValueError:
            raise ConfigError(f"{code!r} is no result; DENY, DENYSOFT, DECLINED are") from None
        if answer.refuses and not text:
            temporary = answer.temporary
            text = (
                "Sorry, try again later" if temporary else "Sorry, service not available for you"
            )
        return len(packed), shift, number >> shift, _Rule(position, answer, text)


def _pack(address: str) -> bytes:
    """Turn an address to octets; IPv4 addresses written as IPv6 ones count as IPv4.

    Raises:
        OSError: it is none.
    """
    packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])
    return packed[12:] if packed.startswith(_MAPPED) else packed
