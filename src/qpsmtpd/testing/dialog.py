r"""Dialogs: sessions as text files, to be run against anything that speaks SMTP.

A file begins with what the server needs, then says who sends what::

    # RFC 5321 §4.5.2: the client doubles a leading dot, the server takes it away
    plugin: rcpt_ok
    config rcpthosts: example.org

    S~ 220 .*
    C: HELO client.example.net
    S~ 250 .*
    C: QUIT
    S~ 221 .*
    closed

The server is called mx.example.org and has no settings but these.

- ``plugin: LINE`` loads a plugin, perhaps from the directory ``plugins`` beside the file.
- ``config NAME: VALUE`` adds a line to a setting.
- ``client: IP [NAME]``, ``protocol: LMTP``, ``listener: proxy`` and ``early: OCTETS`` (sent before
  the greeting) say how the client connects; the first of them may stand between sessions, too.
- ``way: whole`` keeps the client from being run octet by octet, where that changes its meaning.
- ``C: TEXT`` sends a line, CRLF added; lines that follow one another go into one write.
- ``C~ TEXT`` sends octets as they are. Both know ``\r``, ``\n``, ``\t``, ``\0``, ``\\``, ``\xNN``,
  and ``TEXT*N`` behind ``C* `` is a line of N times TEXT.
- ``S: TEXT`` is a line the server must send, ``S~ PATTERN`` one that must match as a whole.
- ``S* CODE`` is a whole reply with that code, whatever it says.
- ``Q: TEXT`` is a line of the message queued last; several are its last lines.
- ``wait N`` lets N seconds pass. ``close`` ends the connection; ``closed`` wants the server to
  have ended it. Behind either the next line begins a new connection.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from qpsmtpd.testing.link import Link

__all__ = ["Arrival", "Dialog", "DialogError", "DialogSyntaxError", "Server", "Step"]

_HEADERS: Final = frozenset({"plugin", "client", "protocol", "listener", "early", "way"})
_CONFIG: Final = re.compile(r"config ([\w.-]+)\Z")
_STEP: Final = re.compile(r"(C:|C~|C\*|S:|S~|S\*|Q:)(?: (.*))?\Z")
_PAUSE: Final = re.compile(r"(wait) (\d+(?:\.\d+)?)\Z|(close|closed)()\Z")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_SINGLE: Final = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


class DialogSyntaxError(ValueError):
    """A dialog file cannot be read."""


class DialogError(AssertionError):
    """A server did not say what a dialog has it say."""


class Step(NamedTuple):
    """One line of a dialog."""

    line: int
    kind: str  #: as it is written: ``C:``, ``S~``, ``wait``, ``client``
    text: str

    @property
    def octets(self) -> bytes:
        """What a client sends."""
        if self.kind == "C*":
            text, _, times = self.text.rpartition("*")
            return _octets(text) * int(times) + b"\r\n"
        return _octets(self.text) + (b"\r\n" if self.kind == "C:" else b"")


class Arrival(NamedTuple):
    """How a client connects."""

    ip: str = "192.0.2.1"
    host: str = ""  #: its name; "" to have it looked up
    protocol: str = "SMTP"
    proxy: bool = False  #: where a PROXY header is waited for
    early: bytes = b""  #: octets sent before the greeting

    def changed(self, name: str, value: str) -> "Arrival":
        """Return it with a line of a dialog taken in."""
        if name == "client":
            ip, _, host = value.partition(" ")
            return self._replace(ip=ip, host=host.strip())
        if name == "listener":
            return self._replace(proxy=value == "proxy")
        if name == "early":
            return self._replace(early=_octets(value))
        return self._replace(protocol=value)


class Server(Protocol):
    """What runs dialogs: a server in memory, or a daemon that was started for one."""

    def connect(self, arrival: Arrival) -> Link:
        """Connect a client."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def queued(self) -> bytes:
        """Return the message that was queued last, with LF line ends."""
        ...


class Dialog:
    """A dialog, read.

    Attributes:
        name: the file's, without directory and suffix.
        plugin_dir: a directory with plugins of its own.
        plugins: lines for ``config/plugins``.
        config: settings, a list of lines each.
        arrival: how the client connects.
        whole: it may not be run octet by octet.
        steps: what happens.
    """

    def __init__(self, text: str, file: str = "dialog") -> None:
        """Read a dialog.

        Args:
            text: the content of the file.
            file: its name, for errors.

        Raises:
            DialogSyntaxError: a line is none of those above, or an escape is unknown.
        """
        self.file = file
        self.name = Path(file).stem
        self.plugin_dir = str(Path(file).parent / "plugins")
        self.plugins: list[str] = []
        self.config: dict[str, list[str]] = {}
        self.arrival = Arrival()
        self.whole = False
        self.steps: list[Step] = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                try:
                    self._read(number, line)
                except (ValueError, re.error) as error:
                    raise DialogSyntaxError(f"{file}:{number}: {error}: {line!r}") from None

    @classmethod
    def open(cls, path: Path) -> "Dialog":
        """Read a dialog file."""
        return cls(path.read_text(encoding="utf-8"), str(path))

    def __repr__(self) -> str:
        return f"<Dialog {self.name}>"

    def _read(self, number: int, line: str) -> None:
        if match := _STEP.match(line):
            step = Step(number, match[1], match[2] or "")
            if step.kind.startswith("C"):
                _ = step.octets
            elif step.kind == "S~":
                re.compile(step.text)
            self.steps.append(step)
        elif match := _PAUSE.match(line):
            self.steps.append(Step(number, match[1] or match[3], match[2] or ""))
        else:
            name, colon, value = line.partition(":")
            setting = _CONFIG.match(name)
            if not colon or not (setting or name in _HEADERS):
                raise ValueError("this is no line of a dialog")
            if setting:
                self.config.setdefault(setting[1], []).append(value.strip())
            else:
                self._set(number, name, value.strip())

    def _set(self, number: int, name: str, value: str) -> None:
        if name == "plugin":
            self.plugins.append(value)
        elif name == "way":
            self.whole = value == "whole"
        elif self.steps:
            self.steps.append(Step(number, name, value))
        else:
            self.arrival = self.arrival.changed(name, value)

    def run(self, server: Server, *, octets: bool = False) -> None:
        """Have a client go through the dialog.

        Args:
            server: a server with the dialog's plugins and settings.
            octets: send every octet by itself.

        Raises:
            DialogError: the server did something else; the text shows where.
        """
        _Run(self, server, octets=octets and not self.whole).steps()


class _Run:
    """One way through a dialog."""

    def __init__(self, dialog: Dialog, server: Server, *, octets: bool) -> None:
        self.dialog = dialog
        self.server = server
        self.octets = octets
        self.arrival = dialog.arrival
        self.link: Link | None = None
        self.unread = b""
        self.heard: list[str] = []

    def steps(self) -> None:
        try:
            for steps in _grouped(self.dialog.steps):
                self.take(steps)
            self.finish(self.dialog.steps[-1])
        finally:
            if self.link is not None:
                self.link.close()

    def take(self, steps: Sequence[Step]) -> None:
        """Go through steps of one kind."""
        step = steps[0]
        if step.kind in _HEADERS:
            self.arrival = self.arrival.changed(step.kind, step.text)
        elif step.kind == "Q:":
            self.compare_message(steps)
        elif step.kind == "wait":
            self.connected()
            self.server.wait(float(step.text))
        elif step.kind == "close":
            self.finish(step)
        elif step.kind == "closed":
            if not self.connected().closed:
                raise self.error(step, "the server has not ended the connection")
            self.finish(step)
        elif step.kind.startswith("C"):
            self.quiet(step)
            self.send(b"".join(one.octets for one in steps))
        else:
            for one in steps:
                if one.kind == "S*":
                    self.compare_reply(one)
                else:
                    self.compare(one)

    def connected(self) -> Link:
        """Return the wire; a new one if there is none."""
        if self.link is None:
            self.link = self.server.connect(self.arrival)
            self.unread = b""
        return self.link

    def send(self, data: bytes) -> None:
        """Send in this run's way; what the server says meanwhile is kept."""
        link = self.connected()
        if not self.octets:
            link.send(data)
            return
        for octet in data:
            link.send(bytes((octet,)))

    def compare(self, step: Step) -> None:
        """Hold the server's next line against what it should be."""
        line = self.next_line()
        if line is None:
            state = "closed the connection" if self.connected().closed else "sent nothing"
            raise self.error(step, f"the server {state}")
        self.heard.append(line)
        if step.kind == "S:":
            fits = line == _octets(step.text).decode("utf-8", "surrogateescape")
        else:
            fits = re.fullmatch(step.text, line) is not None
        if not fits:
            raise self.error(step, f"the server said: {line}")

    def compare_reply(self, step: Step) -> None:
        """Receive the lines of one reply."""
        pattern = re.escape(step.text)
        self.compare(step._replace(kind="S~", text=f"{pattern}([ -].*)?"))
        while self.heard[-1][3:4] == "-":
            self.compare(step._replace(kind="S~", text=f"{pattern}[ -].*"))

    def next_line(self) -> str | None:
        """Receive a line, without its CRLF; None when there is none."""
        link = self.connected()
        while b"\r\n" not in self.unread:
            octets = link.receive()
            if not octets:
                return None
            self.unread += octets
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line.decode("utf-8", "surrogateescape")

    def quiet(self, step: Step) -> None:
        """See that nothing was said that the dialog does not have."""
        if self.unread:
            raise self.error(
                step, f"the server said more: {self.unread.decode('utf-8', 'replace')}"
            )

    def finish(self, step: Step) -> None:
        """Leave; all must have been said."""
        if self.link is None:
            return
        if self.link.closed and (line := self.next_line()) is not None:
            raise self.error(step, f"the server said more: {line}")
        self.quiet(step)
        self.link.close()
        self.link = None

    def compare_message(self, steps: Sequence[Step]) -> None:
        """Hold the end of the message that was queued against what it should be."""
        wanted = [_octets(step.text).decode("utf-8", "surrogateescape") for step in steps]
        text = self.server.queued().decode("utf-8", "surrogateescape")
        lines = text.removesuffix("\n").split("\n")
        if lines[-len(wanted) :] != wanted:
            raise self.error(steps[0], f"the message is: {text!r}")

    def error(self, step: Step, text: str) -> DialogError:
        said = "".join(f"\n    {line}" for line in self.heard[-5:])
        return DialogError(
            f"{self.dialog.file}:{step.line}: {step.kind} {step.text}\n{text}\nheard so far:{said}"
        )


def _grouped(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Put steps of one side that follow one another together."""
    begin = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or _side(steps[end]) != _side(steps[begin]) or not _side(steps[end]):
            yield steps[begin:end]
            begin = end


def _side(step: Step) -> str:
    return step.kind[0] if step.kind[1:] in {":", "~", "*"} else ""


def _octets(text: str) -> bytes:
    def one(match: re.Match[str]) -> str:
        if match[1]:
            number = int(match[1], 16)
            return chr(number if number < 128 else 0xDC00 + number)
        if match[2] not in _SINGLE:
            raise ValueError(f"unknown escape \\{match[2]}")
        return _SINGLE[match[2]]

    return _ESCAPE.sub(one, text).encode("utf-8", "surrogateescape")
