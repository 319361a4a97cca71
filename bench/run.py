"""Starts the peers, drives them by turns with the same work, prints the tables.

Rule: rounds are interleaved. Each server gets its share of a noisy minute, so what the noise
spoils it spoils for all, and the ratios stand.
"""

import argparse
import contextlib
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from bench import check, load, report
from bench.idle import Holder
from bench.load import WORK, Work
from bench.peers import LIMIT, PEERS, missing
from bench.report import Idle, Sample
from bench.server import Failed, Place, Server, adopt, free_port, spool_base

__all__ = ["main"]

_KINDS: Final = (*WORK, "idle", "linear")
_SIZES: Final = (1, 10, 100, 1000)


class Bench:
    """One run of the benchmark: servers, results so far, failures."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.servers: dict[str, Server] = {}
        self.absent: list[str] = []  #: servers that cannot run here, and why
        self.failures: list[str] = []  #: what went wrong with the others
        self.titles = {name: peer.title for name, peer in PEERS.items()}
        self.directory = Path(tempfile.mkdtemp(prefix="bench-", dir=spool_base()))
        self.directory.chmod(0o711)  # the servers' users pass through, and see no names

    def start(self, stack: contextlib.ExitStack) -> None:
        """Start and check every wanted server that can run here; note the others."""
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        for name in self.options.peers:
            progress(f"starting {name}")
            if reason := missing(PEERS[name]):
                self.absent.append(f"{name}: {reason}")
                continue
            place = Place(self.directory / name, free_port())
            place.directory.mkdir()
            try:
                server = Server(name, PEERS[name].prepare(place), place)
                stack.enter_context(server)
                check.takes_and_discards(server.port, server.spool)
            except (Failed, OSError) as error:
                self.note(f"{name}: {error}")
            else:
                self.servers[name] = server

    def note(self, failure: str) -> None:
        """Remember a failure, and say it now."""
        self.failures.append(failure)
        print(f"not measured: {failure}", file=sys.stderr)

    def measured(self, server: Server, work: Work, messages: int) -> Sample:
        """Run *work* once and account for what the server used."""
        file = load.header_file(self.directory, work.fields) if work.fields else None
        before = server.cpu()
        run = load.drive(work, server.port, messages, file)
        return Sample(run, server.cpu() - before, server.memory().pss)

    def count(self, server: Server, work: Work, seconds: float) -> int:
        """Messages of *work* that keep *server* busy for about *seconds*."""
        file = load.header_file(self.directory, work.fields) if work.fields else None
        send = partial(load.drive, work, server.port, file=file)
        return load.calibrate(send, work.least, seconds)

    def throughput(self, work: Work) -> str:
        """Measure all servers in rounds; returns the table."""
        counts: dict[str, int] = {}
        samples: dict[str, list[Sample] | str] = {}
        for turn in range(self.options.rounds):
            for name, server in self.servers.items():
                if isinstance(samples.setdefault(name, []), str):
                    continue
                progress(f"{work.key}, round {turn + 1}, {name}")
                try:
                    if name not in counts:
                        counts[name] = self.count(server, work, self.options.seconds)
                    sample = self.measured(server, work, counts[name])
                except Failed as error:
                    self.note(f"{work.key}, {name}: {error}")
                    samples[name] = str(error)
                else:
                    found = samples[name]
                    assert isinstance(found, list)
                    found.append(sample)
        return report.work_table(work, samples, self.titles, LIMIT)

    def idle(self) -> str:
        """Measure what idle sessions cost; returns the table."""
        found: dict[str, Idle | str] = {}
        for name, server in self.servers.items():
            progress(f"idle, {name}")
            sessions = min(self.options.idle, PEERS[name].sessions)
            try:
                found[name] = self._idle(server, sessions)
            except Failed as error:
                self.note(f"idle, {name}: {error}")
                found[name] = str(error)
        return report.idle_table(found, self.titles, LIMIT)

    def _idle(self, server: Server, sessions: int) -> Idle:
        work = WORK["a"]._replace(sessions=10)
        messages = self.count(server, work, self.options.seconds / 2)
        with Holder(server.port) as holder:
            server.cpu()
            before = server.memory().pss
            holder.open(sessions)
            server.cpu()
            each = (server.memory().pss - before) / sessions
            meanwhile = self.measured(server, work, messages)
            holder.check()
        return Idle(sessions, each, meanwhile)

    def linear(self) -> Iterator[str]:
        """Measure the cost of size; yields a table for each dimension."""
        for dimension in load.LINEAR:
            found: dict[str, Mapping[int, Sample] | str] = {}
            for name, server in self.servers.items():
                progress(f"linear, {dimension}, {name}")
                try:
                    found[name] = self._linear(server, dimension, PEERS[name].sessions)
                except Failed as error:
                    self.note(f"linear {dimension}, {name}: {error}")
                    found[name] = str(error)
            yield report.linear_table(dimension, found, self.titles)

    def _linear(self, server: Server, dimension: str, most: int) -> dict[int, Sample]:
        cells = {}
        for size in _SIZES:
            if dimension == "sessions" and size > most:
                continue  # a process for each: said in the manual
            work = load.scale(dimension, size)
            messages = self.count(server, work, self.options.seconds / 2)
            cells[size] = self.measured(server, work, messages)
        return cells

    def tables(self) -> Iterator[str]:
        """Everything that was asked for, in order."""
        for kind in self.options.work:
            if kind == "idle":
                yield self.idle()
            elif kind == "linear":
                yield from self.linear()
            else:
                yield self.throughput(WORK[kind])


def progress(text: str) -> None:
    """Say what is being done: on one line where somebody watches, line by line in a log."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line; ``--quick`` sets what is not said otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure this server and its peers, as ratios."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, under a minute")
    add("--peers", type=_words(PEERS), help=f"of {','.join(PEERS)}; not kept")
    add("--work", type=_words(_KINDS), help=f"of {','.join(_KINDS)}; not kept")
    add("--rounds", type=int, help="measured rounds (3; quick: 1)")
    add("--seconds", type=float, help="each measured run takes, about (3; quick: 0.4)")
    add("--idle", type=int, help="idle connections (10000; quick: 1000)")
    add("--no-save", dest="save", action="store_false", help="print only")
    options = parser.parse_args(argv)
    if options.peers or options.work:
        options.save = False  # a part would take the place of the whole
    quick = options.quick
    options.peers = options.peers or [name for name, peer in PEERS.items() if not peer.optional]
    options.work = options.work or [*WORK, *(() if quick else ("idle", "linear"))]
    options.rounds = options.rounds or (1 if quick else 3)
    options.seconds = options.seconds or (0.4 if quick else 3.0)
    options.idle = options.idle or (1000 if quick else 10_000)
    return options


def _words(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a reader of lists with commas that takes *known* words only."""
    allowed = list(known)

    def read(text: str) -> list[str]:
        words = text.split(",")
        if unknown := [word for word in words if word not in allowed]:
            raise argparse.ArgumentTypeError(
                f"unknown: {','.join(unknown)} (of {','.join(allowed)})"
            )
        return list(dict.fromkeys(words))

    return read


def _end(number: int, frame: object) -> None:
    """Turn SIGTERM into an exception, so that the servers are stopped on the way out."""
    sys.exit(128 + number)


def main(argv: list[str]) -> int:
    """Run the benchmark; returns 1 if anything asked for could not be measured."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, _end)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    adopt()
    now = datetime.now(UTC)
    bench = Bench(options)
    with contextlib.ExitStack() as stack:
        bench.start(stack)
        parts = list(bench.tables()) if bench.servers else []
    progress("")
    parts.insert(0, report.heading(now, options.rounds, options.seconds))
    if bench.absent:
        parts.append("\n".join(("not here:", *bench.absent)))
    if bench.failures:
        parts.append("\n".join(("failed:", *bench.failures)))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.save and bench.servers:
        file = report.path(now, quick=options.quick)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"kept as {file}")
    return 1 if bench.failures or not bench.servers else 0
