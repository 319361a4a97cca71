"""The engine alone: microseconds of a session per message, without sockets or event loop.

Usage: python -m bench.engine [MESSAGES]

Feeds one session what smtp-source sends, command by command, with handlers that never wait.
What is left out is the kernel's part; what is left is ours to make faster.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from qpsmtpd.config import Config
from qpsmtpd.hooks.chain import Chains
from qpsmtpd.logger import NullLogger
from qpsmtpd.plugin.loader import handlers, load_plugin
from qpsmtpd.plugin.services import Services
from qpsmtpd.smtp import FLUSH, NEED_DATA, Session
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.settings import SessionSettings

__all__ = ["Dialogue", "chains", "main", "microseconds"]

_PLUGINS: Final = (str(Path(__file__).resolve().parent / "plugins"),)

#: declining plugins by row of the table; five handlers each on the path of a message
_ROWS: Final = {
    "no declining handler": (),
    "20 plain": ("declines",) * 4,
    "20 mixed": ("declines", "declines_async") * 2,
    "20 coroutines": ("declines_async",) * 4,
}
_LINE: Final = b"X" * 78 + b"\r\n"
_REPEATS: Final = 5


class Dialogue:
    """A client that sends messages to one session."""

    def __init__(self, chains: Chains, length: int, read: int = 65536) -> None:
        """Greet the session.

        Args:
            chains: handlers.
            length: octets of each message's body, about.
            read: octets fed at a time, as a driver would read them.
        """
        settings = SessionSettings(me="bench.example")
        self._session = Session(Connection("192.0.2.1", 1025), chains, settings)
        text = b"Subject: bench\r\n\r\n" + _LINE * (length // len(_LINE)) + b".\r\n"
        self._reads = [text[start : start + read] for start in range(0, len(text), read)]
        self._advance(b"220")
        self.say(b"EHLO client.example\r\n", b"250")

    def say(self, octets: bytes, code: bytes) -> None:
        """Send *octets* and expect a reply that begins with *code*; b"" for none yet.

        Raises:
            RuntimeError: another reply came, or a handler wanted to wait.
        """
        self._session.feed(octets)
        self._advance(code)

    def _advance(self, code: bytes) -> None:
        session = self._session
        reply = b""
        while (event := session.next_event()) is FLUSH:
            reply += session.data_to_send()
        reply += session.data_to_send()
        if event is not NEED_DATA:
            raise RuntimeError(f"{event} after {reply!r}")
        if reply[:3] != code:
            raise RuntimeError(f"expected {code!r}, got {reply!r}")

    def message(self) -> None:
        """Send one message."""
        self.say(b"MAIL FROM:<sender@client.example>\r\n", b"250")
        self.say(b"RCPT TO:<one@bench.example>\r\n", b"250")
        self.say(b"DATA\r\n", b"354")
        for octets in self._reads[:-1]:
            self.say(octets, b"")
        self.say(self._reads[-1], b"250")


def chains(names: Iterable[str]) -> Chains:
    """Handlers of the plugins *names*, and those that take a message and throw it away."""
    services = Services(Config([]), NullLogger())
    lines = [f"{name}:{number}" for number, name in enumerate(names)]
    plugins = [
        load_plugin(line, services, _PLUGINS) for line in (*lines, "everyone", "queue/discard")
    ]
    return Chains(handlers(plugins))


def microseconds(dialogue: Dialogue, messages: int) -> float:
    """Processor time per message, the best of some repeats: noise only ever adds."""
    best = float("inf")
    for _ in range(_REPEATS):
        start = time.process_time()
        for _ in range(messages):
            dialogue.message()
        best = min(best, time.process_time() - start)
    return best * 1e6 / messages


def main(argv: list[str]) -> int:
    """Print the table."""
    messages = int(argv[0]) if argv else 2000
    for title, names in _ROWS.items():
        cost = microseconds(Dialogue(chains(names), 4096), messages)
        print(f"4 KiB, {title:<22} {cost:8.1f} µs")
    cost = microseconds(Dialogue(chains(()), 1 << 20), max(1, messages // 100))
    print(f"1 MiB, {'no declining handler':<22} {cost:8.1f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
