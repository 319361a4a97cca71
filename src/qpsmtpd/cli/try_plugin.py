"""``qpsmtpd try``: send a message through plugins, and see what each of them says to it.

Rule: nothing leaves the process. Time, DNS and the store are in memory, no program is run and no
queue plugin is asked. What a plugin does by itself, past its services, it does.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.parser import complaint
from qpsmtpd.config import PluginLine
from qpsmtpd.constants import LOGINFO, LOGWARN, OK
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.hooks import Handler
    from qpsmtpd.services import FakeDns
    from qpsmtpd.testing import Client, Smtpd
    from qpsmtpd.testing.trial import Answered, Watch

__all__ = ["add_parsers", "command"]

_DESCRIPTION: Final = """\
Sends one message through plugins and prints what each handler answers, how long it took, and what
the client hears. Nothing is delivered: time, DNS and the store are in memory, no program is run,
and in place of queue plugins something else takes the message.
"""
_EPILOG: Final = """\
Exit code: 0 if the message is taken, 1 if it is refused, 2 if it cannot be tried.
Lines of the DNS file: NAME TYPE VALUE, as in example.org MX 10 mx.example.org, or
192.0.2.1 PTR client.example.net; NAME FAIL lets a name fail. Names not in it do not exist.
"""
_MESSAGE: Final = """\
From: <{sender}>
To: <{recipient}>
Subject: a message to try plugins with
Date: {date}
Message-ID: <try@{host}>

It has one line.
"""
_ANYBODY: Final = "(nobody decided)"


def add_parsers(subparsers: Any) -> None:
    """Add the command to a program.

    Args:
        subparsers: what ``ArgumentParser.add_subparsers`` returned.
    """
    parser = subparsers.add_parser(
        "try",
        help="send a message through plugins, offline",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "plugin",
        nargs="*",
        metavar="PLUGIN",
        help='a line of config/plugins, as "earlytalker wait 5"; none for those of the '
        "configuration",
    )
    parser.add_argument("--ip", default="192.0.2.1", help="the client's address (%(default)s)")
    parser.add_argument("--host", default="", help="its name, instead of looking it up")
    parser.add_argument("--helo", default="client.example.net", help="what it says it is")
    parser.add_argument(
        "--from", dest="sender", default="sender@example.net", help="reverse-path, '' for none"
    )
    parser.add_argument("--to", action="append", help="recipient; repeatable (postmaster here)")
    parser.add_argument("--message", metavar="FILE", help="the message; - for standard input")
    parser.add_argument("--dns", metavar="FILE", help="what is found in DNS, see below")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what is logged, too")
    add_directory(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        Exit code: 0 when the message was taken, 1 when it was refused, 2 after a complaint.
    """
    from qpsmtpd.testing.smtpd import Smtpd  # noqa: PLC0415 - other commands need no server
    from qpsmtpd.testing.trial import Watch  # noqa: PLC0415 - see above

    try:
        config = open_config(arguments)
        recipients = arguments.to or [f"postmaster@{config.text('me') or 'localhost'}"]
        message = _message(arguments, recipients[0])
        with Smtpd("blocking", config=config, plugin_dirs=config.lines("plugin_dirs")) as smtpd:
            watch = Watch(smtpd.clock)
            _prepare(smtpd, watch, arguments)
            with _connected(smtpd, arguments) as client:
                show = _Show(smtpd, watch, client, verbose=arguments.verbose)
                for octets in _lines(client, arguments, recipients, message):
                    show.exchange(octets)
            show.rest()
            return _conclude(smtpd)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        print(f"qpsmtpd: {complaint(error)}", file=sys.stderr)
        return 2


def _prepare(smtpd: "Smtpd", watch: "Watch", arguments: argparse.Namespace) -> None:
    """Load plugins, and put in place what is not to be real."""
    smtpd.clock.advance(time.time() - smtpd.clock.now())
    smtpd.services.process = _NoPrograms()
    if arguments.dns:
        _read_dns(smtpd.dns, arguments.dns)
    for text, place in _plugin_lines(smtpd, arguments):
        try:
            smtpd.load(text, strict=False)
        except ConfigError as error:
            raise ConfigError(error.text, file=place.file, line=place.line or None) from None
    everybody = bool(arguments.plugin) and "rcpt_ok" not in {it.name for it in smtpd.plugins}
    smtpd.arrange = lambda found: _arranged(smtpd, watch, found, everybody=everybody)


def _plugin_lines(smtpd: "Smtpd", arguments: argparse.Namespace) -> list[tuple[str, PluginLine]]:
    """List the lines to load, each with where it stands."""
    if arguments.plugin:
        return [(text, PluginLine(text, [], "command line", 0)) for text in arguments.plugin]
    lines = smtpd.settings.plugin_lines("plugins")
    return [(" ".join((line.name, *line.args)), line) for line in lines]


def _arranged(
    smtpd: "Smtpd", watch: "Watch", found: list["Handler"], *, everybody: bool
) -> list["Handler"]:
    """Watch all handlers, and take messages in place of queue plugins.

    Args:
        smtpd: the server.
        watch: watches.
        found: the handlers of all plugins.
        everybody: take recipients that no plugin decides about, since rcpt_ok is not there.
    """
    from qpsmtpd.hooks import HOOKS, Handler  # noqa: PLC0415 - other commands need none
    from qpsmtpd.testing.queue import MemoryQueue  # noqa: PLC0415 - see above

    kept = [handler for handler in found if handler.hook.name != "queue"]
    kept.append(MemoryQueue(smtpd.queued).handler())
    if everybody:
        kept.append(Handler(_ANYBODY, HOOKS["rcpt"], lambda *arguments: OK))
    return [watch.over(handler) for handler in kept]


def _read_dns(dns: "FakeDns", file: str) -> None:
    """Take in what is found in DNS.

    Raises:
        ConfigError: a line cannot be read.
    """
    from qpsmtpd.services import Status  # noqa: PLC0415 - other commands need none
    from qpsmtpd.services.dns.name import reverse  # noqa: PLC0415 - see above

    records: dict[tuple[str, str], list[Any]] = {}
    for number, line in enumerate(Path(file).read_text("utf-8").splitlines(), 1):
        name, kind, value = (*line.split(None, 2), "", "", "")[:3]
        kind = kind.upper()
        if not name or name.startswith("#"):
            continue
        try:
            if kind == "FAIL":
                dns.fail(name, Status.SERVFAIL)
                continue
            if kind == "PTR" and not name.endswith("arpa"):
                name = reverse(name)
            found = records.setdefault((name, kind), [])
            found.append(_record(kind, value))
            dns.add(name, kind, *found)
        except (ValueError, IndexError) as error:
            raise ConfigError(f"{line!r}: {error}", file=file, line=number) from None


def _record(kind: str, value: str) -> Any:
    if not value:
        raise ValueError("a line is NAME TYPE VALUE")
    if kind == "MX":
        preference, host = value.split()
        return int(preference), host
    return value.strip('"') if kind == "TXT" else value


class _NoPrograms:
    """What runs programs: not here."""

    async def run(self, arguments: Any, **options: Any) -> Any:
        """Refuse.

        Raises:
            ProcessError: always.
        """
        from qpsmtpd.services import ProcessError  # noqa: PLC0415 - other commands need none

        raise ProcessError(f"qpsmtpd try runs no programs, so not {arguments[0]}")


def _connected(smtpd: "Smtpd", arguments: argparse.Namespace) -> "Client":
    """Let the client connect.

    Raises:
        ConfigError: nobody can have such an address.
    """
    from ipaddress import ip_address  # noqa: PLC0415 - other commands need none

    try:
        ip_address(arguments.ip)
    except ValueError as error:
        raise ConfigError(f"--ip: {error}") from None
    return smtpd.connect(arguments.ip, remote_host=arguments.host)


def _lines(
    client: "Client", arguments: argparse.Namespace, recipients: list[str], message: bytes
) -> Iterator[bytes]:
    """Say what the client sends, one thing after the other, as long as it makes sense."""
    from qpsmtpd.testing.client import stuffed  # noqa: PLC0415 - other commands need none

    yield b""
    yield f"EHLO {arguments.helo}\r\n".encode()
    if not client.connection.hello:
        yield f"HELO {arguments.helo}\r\n".encode()
    yield f"MAIL FROM:<{arguments.sender}>\r\n".encode()
    if client.transaction is not None:
        for recipient in recipients:
            yield f"RCPT TO:<{recipient}>\r\n".encode()
    if client.transaction is not None and client.transaction.recipients:
        yield b"DATA\r\n"
        if client.replies and client.replies[-1] == 354:
            yield stuffed(message)
    yield b"QUIT\r\n"


def _message(arguments: argparse.Namespace, recipient: str) -> bytes:
    """Read the message, with LF line ends, or write one."""
    if arguments.message == "-":
        return sys.stdin.buffer.read().replace(b"\r\n", b"\n")
    if arguments.message:
        return Path(arguments.message).read_bytes().replace(b"\r\n", b"\n")
    from email.utils import formatdate  # noqa: PLC0415 - only for a message of our own

    return _MESSAGE.format(
        sender=arguments.sender, recipient=recipient, date=formatdate(), host=arguments.helo
    ).encode()


class _Show:
    """Prints what the client says, what handlers answer, and what the client hears."""

    def __init__(self, smtpd: "Smtpd", watch: "Watch", client: "Client", *, verbose: bool) -> None:
        """Prepare.

        Args:
            smtpd: the server.
            watch: has the handlers' answers.
            client: the client.
            verbose: print the log down to LOGINFO; else trouble only.
        """
        self.smtpd = smtpd
        self.watch = watch
        self.client = client
        self.level = LOGINFO if verbose else LOGWARN

    def exchange(self, octets: bytes) -> None:
        """Send something, and print all that came of it; nothing once the session is over."""
        if not octets:
            print(f"-- {self.client.connection.remote_ip} connects")
        elif self.client.closed:
            return
        else:
            line = octets.decode("utf-8", "replace").removesuffix("\r\n")
            print(f"C: {line}" if "\n" not in line else f"C: (the message, {len(octets)} octets)")
            self.client.raw(octets)
        self.rest()
        for line in self.client.received.decode("utf-8", "replace").splitlines():
            print(f"S: {line}")

    def rest(self) -> None:
        """Print what handlers answered, and what was logged, since the last time."""
        for call in self.watch.calls:
            print(_told(call))
        self.watch.calls.clear()
        for event in self.smtpd.log.events:
            ours = event.plugin or event.level <= LOGWARN
            if event.level <= self.level and ours:
                print(f"        log: {event.line.partition(' ')[2]}")
        self.smtpd.log.clear()


def _told(call: "Answered") -> str:
    """Write a handler's answer."""
    took = f"{call.seconds * 1000:.1f} ms"
    if call.waited:
        took += f", and {call.waited:g} s of waiting"
    text = call.trouble or " / ".join(call.verdict.lines)
    answer = "failed" if call.trouble else call.verdict.result.name
    line = f"    {call.hook:17} {call.plugin:24} {answer:20} {took:10}"
    return f"{line} {text}".rstrip()


def _conclude(smtpd: "Smtpd") -> int:
    """Print how it ended; returns the exit code."""
    unknown = [
        f"{name} {kind}"
        for name, kind in dict.fromkeys(smtpd.dns.questions)
        if not smtpd.wait(smtpd.dns.query(name, kind)).found
    ]
    if unknown:
        print(f"-- not found in DNS (see --dns): {', '.join(unknown)}")
    if not smtpd.queued:
        print("-- refused")
        return 1
    recipients = ", ".join(recipient.format() for recipient in smtpd.queued[-1].recipients)
    print(f"-- taken, for {recipients}")
    return 0
