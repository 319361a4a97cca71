"""Which name servers to ask: from a setting, or from ``/etc/resolv.conf``."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT", "RESOLV_CONF", "Nameserver", "from_settings", "nameservers"]

RESOLV_CONF = "/etc/resolv.conf"
PORT = 53


class Nameserver(NamedTuple):
    """Where a server listens, for UDP and TCP."""

    host: str  #: IPv4 or IPv6 address, perhaps with %zone
    port: int = PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


#: the server of a host that names none (resolv.conf(5))
DEFAULT = Nameserver("127.0.0.1")
#: as many as the C library uses (resolv.conf(5))
MOST = 3


def from_settings(texts: "Iterable[str]") -> tuple[Nameserver, ...]:
    """Read name servers as an operator writes them.

    Args:
        texts: each ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

    Raises:
        ConfigError: one of them is no address.
    """
    return tuple(map(_parse, texts))


def _parse(text: str) -> Nameserver:
    host, port = text.strip(), str(PORT)
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        port = port.removeprefix(":") if port else str(PORT)
        host = host if bracket else ""
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if not _is_address(host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{text!r} is no name server: write an IP address, or [address]:port")
    return Nameserver(host, int(port))


def _is_address(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415 - 6 ms, and only where servers are named

    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def nameservers(path: str = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Read the system's name servers, the first three.

    A file that is missing or names none means a server on this host; a line that is not
    understood is passed over, as the C library does.
    """
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return (DEFAULT,)
    words = [line.split() for line in lines]
    hosts = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    found = tuple(Nameserver(host) for host in hosts if _is_address(host))
    return found[:MOST] or (DEFAULT,)
