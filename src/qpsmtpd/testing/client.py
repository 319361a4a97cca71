"""A client that reads like SMTP."""

from typing import TYPE_CHECKING, Final, NamedTuple, Self

from qpsmtpd.constants import Result
from qpsmtpd.deploy import reverse
from qpsmtpd.smtp import Connection, Transaction
from qpsmtpd.testing.link import Link, SilenceError
from qpsmtpd.testing.reply import Reply, parse

if TYPE_CHECKING:
    from types import TracebackType

    from qpsmtpd.hooks.verdict import Verdict

__all__ = ["Call", "Client", "stuffed"]

_MESSAGE: Final = (
    "From: <sender@example.net>\nTo: <user@example.org>\nSubject: a test\n\nIt arrived.\n"
)


class Call(NamedTuple):
    """A handler's answer."""

    hook: str
    plugin: str
    result: Result
    text: str


class Client:
    """One connection to a server in memory, as ``Smtpd.connect`` makes it.

    Methods named after commands send one, and return the reply. Leaving the ``with`` block ends
    the connection.

    Attributes:
        connection: what plugins see of it.
        greeting: the first reply; None when the server has said nothing, as to a proxy.
        replies: all replies to what was sent last.
        received: their octets.
        calls: the answers of all handlers so far.
        transcript: lines sent and received so far, behind ``C: `` and ``S: ``.
    """

    def __init__(self, connection: Connection) -> None:
        """Prepare a client; ``attach`` connects it.

        Args:
            connection: what plugins see of it.
        """
        self.connection = connection
        self.greeting: Reply | None = None
        self.replies: list[Reply] = []
        self.received = b""
        self.calls: list[Call] = []
        self.transcript: list[str] = []
        self._link: Link | None = None
        connection.trace = self.note

    def attach(self, link: Link) -> "Client":
        """Take the wire; returns itself."""
        self._link = link
        self._receive()
        self.greeting = self.replies[0] if self.replies else None
        return self

    def note(self, hook: str, plugin: str, verdict: "Verdict") -> None:
        """Remember a handler's answer."""
        self.calls.append(Call(hook, plugin, verdict.result, verdict.text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    # What a test looks at

    @property
    def link(self) -> Link:
        """The wire itself, as dialogs use it."""
        if self._link is None:
            raise SilenceError("the client is not connected")
        return self._link

    @property
    def transaction(self) -> Transaction | None:
        """What MAIL has begun; None before and after."""
        return self.connection.transaction

    @property
    def closed(self) -> bool:
        """True when the server has ended the connection, or there is none."""
        return self._link is None or self._link.closed

    def results(self, hook: str = "") -> list[tuple[str, Result]]:
        """Return who answered what so far, those who declined included.

        Args:
            hook: only the answers to this one; "" for all.
        """
        return [
            (call.plugin, call.result)
            for call in self.calls
            if hook in {"", call.hook} and call.plugin != reverse.NAME  # no plugin anybody loaded
        ]

    # Octets

    def raw(self, data: bytes) -> list[Reply]:
        """Send octets as they are; returns the replies that came, if any."""
        sent = data.decode("utf-8", "replace").split("\r\n")
        self.transcript += [f"C: {line}" for line in (sent if sent[-1] else sent[:-1])]
        self.link.send(data)
        return self._receive()

    def send(self, line: str | bytes) -> Reply:
        """Send a line, CRLF added, and return the reply.

        Raises:
            SilenceError: there was none.
        """
        octets = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        return self._last(self.raw(octets + b"\r\n"), repr(octets)[1:])

    def close(self) -> None:
        """End the connection; the server may have done so before."""
        if self._link is not None:
            self._link.close()

    def _receive(self) -> list[Reply]:
        octets = self.received = self.link.receive()
        self.transcript += [
            f"S: {line}" for line in octets.decode("utf-8", "replace").splitlines()
        ]
        self.replies = parse(octets)
        return self.replies

    def _last(self, replies: list[Reply], what: str) -> Reply:
        if replies:
            return replies[-1]
        reason = "the connection is closed" if self.closed else "the server waits for more"
        raise SilenceError(f"no reply to {what}: {reason}")

    # Commands

    def helo(self, host: str = "client.example.net") -> Reply:
        """Say HELO."""
        return self.send(f"HELO {host}")

    def ehlo(self, host: str = "client.example.net") -> Reply:
        """Say EHLO."""
        return self.send(f"EHLO {host}")

    def lhlo(self, host: str = "client.example.net") -> Reply:
        """Say LHLO (RFC 2033)."""
        return self.send(f"LHLO {host}")

    def mail(self, sender: str = "", *parameters: str) -> Reply:
        """Begin a transaction.

        Args:
            sender: address, with or without angle brackets; "" for the null reverse-path.
            parameters: such as ``SIZE=1000``.
        """
        return self.send(" ".join((f"MAIL FROM:{_path(sender)}", *parameters)))

    def rcpt(self, recipient: str, *parameters: str) -> Reply:
        """Name a recipient.

        Args:
            recipient: address, with or without angle brackets.
            parameters: such as ``NOTIFY=NEVER``.
        """
        return self.send(" ".join((f"RCPT TO:{_path(recipient)}", *parameters)))

    def data(self) -> Reply:
        """Say DATA; ``content`` goes on, or ``raw`` if every octet counts."""
        return self.send("DATA")

    def content(self, text: str | bytes = _MESSAGE) -> Reply:
        """Send a message behind DATA, dots stuffed, and its end.

        Args:
            text: lines that end in LF.

        Returns:
            The reply; the last one under LMTP, ``replies`` has all.
        """
        return self._last(self.raw(stuffed(text)), "the message")

    def message(self, text: str | bytes = _MESSAGE) -> Reply:
        """Send DATA and a message.

        Args:
            text: lines that end in LF.

        Returns:
            The reply to the message, or to DATA if that was refused.
        """
        reply = self.data()
        return reply if reply.refused else self.content(text)

    def bdat(self, chunk: bytes, *, last: bool = False) -> Reply:
        """Send a chunk of a message (RFC 3030), as it is."""
        command = b"BDAT %d%b\r\n" % (len(chunk), b" LAST" if last else b"")
        return self._last(self.raw(command + chunk), "BDAT")

    def rset(self) -> Reply:
        """Say RSET."""
        return self.send("RSET")

    def noop(self) -> Reply:
        """Say NOOP."""
        return self.send("NOOP")

    def vrfy(self, argument: str) -> Reply:
        """Say VRFY."""
        return self.send(f"VRFY {argument}")

    def quit(self) -> Reply:
        """Say QUIT."""
        return self.send("QUIT")

    def deliver(
        self,
        recipient: str,
        *more: str,
        sender: str = "sender@example.net",
        text: str | bytes = _MESSAGE,
    ) -> Reply:
        """Send a whole message, hello included; stops at the first refusal.

        Args:
            recipient: an address.
            more: further ones; of several, those refused are passed over, as clients do.
            sender: the reverse-path.
            text: lines that end in LF.

        Returns:
            The reply to the message, or the refusal that was in its way.
        """
        lmtp = self.connection.protocol == "LMTP"
        if not self.connection.hello:
            reply = self.lhlo() if lmtp else self.ehlo()
            if reply.refused:
                return reply
        reply = self.mail(sender)
        if reply.refused:
            return reply
        answers = [self.rcpt(one) for one in (recipient, *more)]
        if all(answer.refused for answer in answers):
            return answers[-1]
        return self.message(text)


def _path(address: str) -> str:
    return address if address.startswith("<") else f"<{address}>"


def stuffed(text: str | bytes) -> bytes:
    """Return a message as DATA has it: CRLF, dots stuffed, its end behind it (RFC 5321 §4.5.2)."""
    octets = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    lines = octets.split(b"\n")
    if not lines[-1]:
        del lines[-1]
    return (
        b"".join(b"%b%b\r\n" % (b"." if line.startswith(b".") else b"", line) for line in lines)
        + b".\r\n"
    )
