"""Where clients come from: listening sockets, our own or the supervisor's.

An address is written ``host:port``, ``[ipv6]:port``, ``host``, ``unix:/path``, or ``systemd`` and
``systemd:name`` for sockets that systemd passes (``LISTEN_FDS``). Words behind it are options:
``tls``, ``proxy`` and others that the engine understands, and here ``mode=0660`` for a Unix
socket, ``v6only`` for IPv6, ``name=…`` for logs and settings.
"""

import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from qpsmtpd.errors import ConfigError

__all__ = ["Listener", "Spec", "adopt", "default_address", "open_listeners", "parse"]

_FIRST_PASSED: Final = 3
_WILDCARDS: Final = {"::", "0.0.0.0", ""}  # noqa: S104 - compared with, not bound


class Spec(NamedTuple):
    """One address to listen on."""

    host: str  #: address or name; a path for a Unix socket
    port: int  #: -1 for a Unix socket, -2 for one that systemd passes
    options: dict[str, str]

    @property
    def address(self) -> str:
        """As it is written."""
        if self.port == -1:
            return f"unix:{self.host}"
        if self.port == -2:
            return f"systemd:{self.host}" if self.host else "systemd"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener:
    """One listening socket."""

    __slots__ = ("address", "local", "name", "options", "proxy", "socket", "unlink")

    def __init__(
        self, listening: socket.socket, address: str, options: Mapping[str, str], name: str = ""
    ) -> None:
        listening.settimeout(0)
        if listening.family != socket.AF_UNIX:
            # Accepted sockets inherit it. Replies are collected before they are sent, so waiting
            # for more would only add the client's delayed ACK to each.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = listening
        self.address = address
        self.options = dict(options)
        self.name = name or self.options.get("name", address)
        self.proxy = "proxy" in self.options
        self.unlink = ""  #: path to remove at the end
        name_of: Any = listening.getsockname()
        #: address and port of every client's side of it; None when each has to be asked
        self.local: tuple[str, int] | None = None
        if listening.family == socket.AF_UNIX:
            self.local = ("", 0)
        elif name_of[0] not in _WILDCARDS:
            self.local = (name_of[0], name_of[1])

    @property
    def described(self) -> dict[str, Any]:
        """What an engine is told about it."""
        return {"name": self.name, "address": self.address, "options": self.options}

    def close(self) -> None:
        """Close it, and remove a Unix socket of our own."""
        self.socket.close()
        if self.unlink:
            with suppress(OSError):  # somebody else was faster
                Path(self.unlink).unlink()


def default_address() -> str:
    """The address of all interfaces: IPv6 and IPv4 where there is IPv6."""
    if socket.has_ipv6:
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::", 0))
        except OSError:
            return "0.0.0.0"  # noqa: S104 - a mail server is reachable
        return "[::]"
    return "0.0.0.0"  # noqa: S104 - a mail server is reachable


def parse(text: str, port: int) -> Spec:
    """Read an address with its options.

    Args:
        text: as in the module's description.
        port: when the address names none.

    Raises:
        ConfigError: it cannot be read.
    """
    address, *words = text.split() or [""]
    options = {name: value for name, _, value in (word.partition("=") for word in words)}
    if address.startswith("unix:"):
        return Spec(address[5:], -1, options)
    if address == "systemd" or address.startswith("systemd:"):
        return Spec(address[8:], -2, options)
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        well_formed = bool(bracket) and (not rest or rest.startswith(":"))
        number = rest[1:]
    else:
        host, _, number = address.partition(":")
        well_formed = ":" not in number
    number = number or str(port)
    if not well_formed or not host or not number.isdecimal() or int(number) > 65535:
        raise ConfigError(
            f"cannot read the address {text!r}; write host:port, [ipv6]:port or unix:/path"
        )
    return Spec(host, int(number), options)


def open_listeners(
    specs: Sequence[Spec], backlog: int, passed: Sequence[Listener] = ()
) -> list[Listener]:
    """Open every address.

    Args:
        specs: the addresses.
        backlog: connections the kernel may hold for each.
        passed: what ``adopt`` found.

    Raises:
        ConfigError: one cannot be opened; none is then left open.
    """
    wild4 = {spec.port for spec in specs if spec.host == "0.0.0.0"}  # noqa: S104 - compared
    found: list[Listener] = []
    try:
        for spec in specs:
            if spec.port == -1:
                found.append(_listen_unix(spec, backlog))
            elif spec.port == -2:
                found.extend(_choose(spec, passed))
            else:
                found.extend(_listen_tcp(spec, backlog, v6only=spec.port in wild4))
    except BaseException:
        for listener in found:
            if listener not in passed:
                listener.close()
        raise
    return found


def _listen_tcp(spec: Spec, backlog: int, *, v6only: bool) -> list[Listener]:
    try:
        resolved = socket.getaddrinfo(
            spec.host, spec.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f"cannot listen on {spec.address}: {error}; name an address of this machine"
        ) from error
    found: list[Listener] = []
    for family, kind, protocol, _, address in dict.fromkeys(resolved):
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                alone = v6only or "v6only" in spec.options or spec.host not in _WILDCARDS
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(alone))
            listening.bind(address)
            listening.listen(backlog)
        except OSError as error:
            listening.close()
            for listener in found:
                listener.close()
            raise ConfigError(f"cannot listen on {spec.address}: {_advice(error)}") from error
        found.append(Listener(listening, _shown(listening), spec.options))
    return found


def _shown(listening: socket.socket) -> str:
    name: Any = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


_ADVICE: Final = {
    errno.EADDRINUSE: "another program listens there; stop it (`ss -ltnp` names it) or choose "
    "another address",
    errno.EACCES: "ports below 1024 are root's; start as root with --user, let systemd pass the "
    "socket, or choose a port from 1024 on",
    errno.EADDRNOTAVAIL: "this machine has no such address (`ip addr` lists them)",
    errno.EAFNOSUPPORT: "this machine has no IPv6; listen on 0.0.0.0",
    errno.ENOENT: "its directory does not exist; create it",
    errno.ENAMETOOLONG: "the path is too long for a socket",
}


def _advice(error: OSError) -> str:
    return _ADVICE.get(error.errno or 0, error.strerror or str(error))


def _listen_unix(spec: Spec, backlog: int) -> Listener:
    path = spec.host
    mode = spec.options.get("mode", "0666")
    if not path.startswith("/") or mode.strip("01234567") or not 1 <= len(mode) <= 4:
        raise ConfigError(f"cannot listen on {spec.address}: path absolute, mode like 0660")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        _clear(path)
        listening.bind(path)
        Path(path).chmod(int(mode, 8))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        advice = _advice(error)
        if error.errno == errno.EACCES:
            advice = "the directory is not writable for the user that starts the daemon"
        raise ConfigError(f"cannot listen on {spec.address}: {advice}") from error
    finally:
        os.umask(umask)
    listener = Listener(listening, spec.address, spec.options)
    listener.unlink = path
    return listener


def _clear(path: str) -> None:
    """Remove the socket of a daemon that is dead; anything else stays and bind will complain."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()


def adopt(environ: Mapping[str, str] = os.environ) -> list[Listener]:
    """Take the listening sockets that systemd passes, if they are meant for this process."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found = []
    for index in range(int(count)):
        fd = _FIRST_PASSED + index
        os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
        listening = socket.socket(fileno=fd)
        name = names[index] if index < len(names) else ""
        found.append(Listener(listening, _shown(listening), {}, name))
    return found


def _choose(spec: Spec, passed: Sequence[Listener]) -> list[Listener]:
    chosen = [listener for listener in passed if spec.host in {"", listener.name}]
    if not chosen:
        raise ConfigError(
            f"cannot listen on {spec.address}: systemd has passed no such socket; start the "
            "daemon through its .socket unit or name an address"
        )
    for listener in chosen:
        listener.options.update(spec.options)
        listener.proxy = "proxy" in listener.options
    return chosen
