"""The work: what smtp-source sends, and how fast it was taken."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bench.server import HOST, Failed

__all__ = [
    "LINEAR",
    "WORK",
    "Run",
    "Work",
    "calibrate",
    "command",
    "drive",
    "header_file",
    "scale",
]


class Work(NamedTuple):
    """One kind of load."""

    key: str
    title: str
    sessions: int  #: connections at a time
    length: int  #: octets of each message's body
    reuse: bool  #: many messages per connection instead of one
    least: int  #: messages of the shortest run: with ``reuse`` enough to forget the connection
    recipients: int = 1
    fields: int = 0  #: header fields of each message; 0: the few smtp-source writes


class Run(NamedTuple):
    """What one run of smtp-source took."""

    messages: int
    seconds: float  #: wall clock
    client: float  #: processor seconds of smtp-source itself

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds


WORK: Final[dict[str, Work]] = {
    work.key: work
    for work in (
        Work(
            "a", "one 4 KiB message per connection, 50 sessions", 50, 4096, reuse=False, least=100
        ),
        Work(
            "b",
            "many 4 KiB messages per connection, 50 sessions",
            50,
            4096,
            reuse=True,
            least=500,
        ),
        Work(
            "c",
            "1 MiB messages, many per connection, 10 sessions",
            10,
            1 << 20,
            reuse=True,
            least=40,
        ),
    )
}

#: dimensions whose cost must grow no faster than they do
LINEAR: Final[dict[str, str]] = {
    "recipients": "recipients of one message",
    "fields": "header fields of one message",
    "sessions": "connections at a time, one message each",
}

_PLAIN: Final = Work("linear", "linear cost", 10, 1024, reuse=True, least=40)


def scale(dimension: str, size: int) -> Work:
    """Return the work for one cell of the linear-cost table.

    Raises:
        KeyError: no such dimension.
    """
    return {
        "recipients": _PLAIN._replace(recipients=size, least=max(10, 100 // size)),
        "fields": _PLAIN._replace(fields=size),
        "sessions": _PLAIN._replace(sessions=size, reuse=False, least=max(100, size)),
    }[dimension]


def header_file(directory: Path, fields: int) -> Path:
    """Write a message with *fields* header fields and a short body, for smtp-source to send."""
    path = directory / f"fields-{fields}"
    if not path.exists():
        lines = [f"X-Field-{number}: value of field {number}\n" for number in range(fields)]
        path.write_text("".join((*lines, "\n", "body\n" * 200)), encoding="ascii")
    return path


def command(work: Work, port: int, messages: int, file: Path | None = None) -> list[str]:
    """Return smtp-source's command line for *messages* messages of *work*."""
    program = shutil.which("smtp-source", path=os.environ["PATH"] + ":/usr/sbin") or "smtp-source"
    words = [program, "-s", str(work.sessions), "-m", str(messages), "-C", "5"]
    words += ["-M", "client.example", "-f", "sender@client.example", "-t", "one@bench.example"]
    if work.reuse:
        words.append("-d")
    if work.recipients > 1:
        words += ["-r", str(work.recipients)]
    words += ["-F", str(file)] if file else ["-l", str(work.length)]
    return [*words, f"{HOST}:{port}"]


def drive(
    work: Work, port: int, messages: int, file: Path | None = None, *, limit: float = 120.0
) -> Run:
    """Send *messages* messages to *port*.

    smtp-source ends with an error at the first reply that is not the expected one, so a run that
    returns was taken to its last message.

    Raises:
        Failed: smtp-source is missing, was answered with an error, or took *limit* seconds.
    """
    before, start = _client_seconds(), time.perf_counter()
    try:
        done = subprocess.run(
            command(work, port, messages, file),
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed("smtp-source is missing: run bench/install.sh") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{messages} messages took more than {limit:.0f} s") from error
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failed((done.stderr or done.stdout).strip() or f"exit status {done.returncode}")
    return Run(messages, seconds, _client_seconds() - before)


def _client_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def calibrate(run: Callable[[int], Run], least: int, seconds: float) -> int:
    """Find how many messages take about *seconds*; warms the server up at the same time.

    Args:
        run: sends so many messages.
        least: messages to begin with, and never to go below.
        seconds: wall clock wished for.
    """
    messages = least
    while True:
        done = run(messages)
        if done.seconds >= seconds / 8:
            return max(least, round(done.rate * seconds))
        messages *= 4
