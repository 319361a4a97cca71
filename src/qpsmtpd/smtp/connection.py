"""What is known of a client: addresses, hello, login, notes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qpsmtpd.constants import Result
from qpsmtpd.logger import Logger, NullLogger

if TYPE_CHECKING:
    from qpsmtpd.hooks.verdict import Verdict
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["Connection"]

_NOBODY = NullLogger()

#: answers a command in the plugin's own words: code, lines
Responder = Callable[[int, tuple[str, ...]], None]
#: told of each result: hook, plugin, verdict
Tracer = Callable[[str, str, "Verdict"], None]


class Connection:
    """One client, from accept to goodbye.

    Plugins get it as the first argument of connection hooks, and as ``transaction.connection``.
    """

    __slots__ = (
        "auth_mechanism",
        "auth_user",
        "authenticated",
        "command_counter",
        "hello",
        "hello_host",
        "id",
        "listener",
        "local_ip",
        "local_port",
        "logger",
        "mover",
        "notes",
        "peek",
        "protocol",
        "relay_client",
        "remote_host",
        "remote_info",
        "remote_ip",
        "remote_port",
        "respond_with",
        "results",
        "rights",
        "tls",
        "trace",
        "transaction",
    )

    def __init__(
        self,
        remote_ip: str = "127.0.0.1",
        remote_port: int = 0,
        local_ip: str = "",
        local_port: int = 0,
        *,
        remote_host: str = "",
        remote_info: str = "",
        connection_id: str = "",
        logger: Logger = _NOBODY,
        listener: str = "",
        protocol: str = "SMTP",
        rights: frozenset[str] = frozenset(),
    ) -> None:
        """Describe a client.

        Args:
            remote_ip: address of the client; IPv6 without brackets, IPv4-mapped ones as IPv4.
            remote_port: its port; 0 when unknown.
            local_ip: address it connected to, "" when unknown.
            local_port: port it connected to; 0 when unknown.
            remote_host: name from the reverse look-up; "" when not looked up.
            remote_info: ``ident@host`` or host, for the greeting and Received.
            connection_id: unique name of this connection, from greeting to log.
            logger: where messages about this connection go.
            listener: name of the listener it came through.
            protocol: "SMTP" or "LMTP".
            rights: what this client may do beyond the protocol: "proxy" (it must begin with a
                PROXY header), "xclient", "xforward".
        """
        self.id = connection_id
        self.remote_ip = remote_ip
        self.remote_port = remote_port
        self.remote_host = remote_host
        self.remote_info = remote_info or remote_host
        self.local_ip = local_ip
        self.local_port = local_port
        self.listener = listener
        self.logger = logger
        self.protocol = protocol
        self.rights = rights
        self.tls = ""  #: cipher in use; "" in the clear
        self.command_counter = 0
        self.trace: Tracer | None = None
        self.transaction: Transaction | None = None
        self.respond_with: Responder | None = None
        self.peek: Callable[[], bool] | None = None
        self.mover: Callable[[str], bool] | None = None  #: counts a client under another address
        self.forget()

    def forget(self) -> None:
        """Know of the client what its address tells, and nothing else."""
        self.hello = ""  #: "helo", "ehlo", "lhlo"; "" before the client has said it
        self.hello_host = ""  #: what the client said it is
        self.relay_client = False
        self.authenticated: Result | None = None  #: OK, DENY, or None when nobody tried
        self.auth_user = ""
        self.auth_mechanism = ""
        self.notes: dict[str, Any] = {}
        self.results: list[tuple[str, str, Result]] = []  #: (plugin, hook, result), not DECLINED

    def respond(self, code: int, *lines: str) -> None:
        """Send a reply now, in the plugin's own words; the handler then returns DONE.

        Args:
            code: three digits.
            lines: the texts, a line each.
        """
        if self.respond_with is not None:
            self.respond_with(code, lines)

    def input_pending(self) -> bool:
        """True when the client has sent something that was not read as a command yet."""
        return self.peek is not None and self.peek()

    def move(self, remote_ip: str, remote_port: int) -> bool:
        """Make this the connection of another client, as a proxy says.

        Returns:
            False when that client has as many connections as it may have.
        """
        if self.mover is not None and not self.mover(remote_ip):
            return False
        self.remote_ip, self.remote_port = remote_ip, remote_port
        return True

    @property
    def with_protocol(self) -> str:
        """The protocol's name in Received (RFC 3848): ``ESMTPSA`` and its relatives."""
        name = "LMTP" if self.protocol == "LMTP" else "SMTP" if self.hello == "helo" else "ESMTP"
        if name == "SMTP":
            return name
        return name + "S" * bool(self.tls) + "A" * (self.authenticated is Result.OK)

    def log(self, level: int, text: str, plugin: str = "", hook: str = "") -> None:
        """Log *text* about this connection."""
        if level <= self.logger.threshold:
            self.logger.log(level, text, plugin=plugin, hook=hook, connection=self)
