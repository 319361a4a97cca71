"""Numbers to text: medians, ratios, tables, and the file they are kept in."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.load import LINEAR, Run, Work
from bench.server import spool_base

__all__ = [
    "Idle",
    "Sample",
    "commit",
    "growth",
    "heading",
    "idle_table",
    "linear_table",
    "path",
    "ratio",
    "table",
    "work_table",
]

_ROOT: Final = Path(__file__).resolve().parent.parent


class Sample(NamedTuple):
    """One server under one work, once."""

    run: Run
    cpu: float  #: processor seconds of the server's whole tree
    pss: int  #: bytes, after the run

    @property
    def cost(self) -> float:
        """Processor seconds for 1,000 messages."""
        return self.cpu * 1000 / self.run.messages


class Idle(NamedTuple):
    """One server holding idle sessions."""

    sessions: int
    each: float  #: bytes of the server's memory for one of them
    meanwhile: Sample  #: new mail while they are held


#: results of one work by server, or the reason there are none
Samples = Mapping[str, Sequence[Sample] | str]


def ratio(value: float, limit: float | None) -> str:
    """*value* as a multiple of *limit*; "-" when there is nothing to compare with."""
    if not limit:
        return "-"
    quotient = value / limit
    return f"{quotient:.0f}" if quotient >= 100 else f"{quotient:.{1 if quotient >= 10 else 2}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines = []
    for cells in (head, rule, *rows):
        first, *others = zip(cells, widths, strict=True)
        words = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)


def work_table(work: Work, samples: Samples, titles: Mapping[str, str], limit: str) -> str:
    """Rates, costs and memory of every server under one work, with ratios to *limit*."""
    head = ("server", "msg/s", "÷limit", "CPU s/1000", "÷limit", "MiB", "÷limit", "client busy")
    figures = {
        name: (
            median(sample.run.rate for sample in found),
            median(sample.cost for sample in found),
            median(sample.pss for sample in found) / 2**20,
            median(sample.run.client / sample.run.seconds for sample in found),
        )
        for name, found in samples.items()
        if not isinstance(found, str)
    }
    base: Sequence[float | None] = figures.get(limit, (None,) * 4)
    rows, notes = [], []
    for name, found in samples.items():
        if isinstance(found, str):
            rows.append((titles[name], *("failed",) * 3, *("",) * 4))
            notes.append(f"{titles[name]}: {found}")
            continue
        rate, cost, memory, busy = figures[name]
        rows.append(
            (
                titles[name],
                f"{rate:,.0f}",
                ratio(rate, base[0]),
                f"{cost:.3f}",
                ratio(cost, base[1]),
                f"{memory:.1f}",
                ratio(memory, base[2]),
                f"{busy:.0%}",
            )
        )
    return "\n".join((f"{work.key}: {work.title}", "", table(head, rows), *notes))


def idle_table(found: Mapping[str, Idle | str], titles: Mapping[str, str], limit: str) -> str:
    """Memory of an idle session, and new mail served while they are held."""
    head = ("server", "sessions", "KiB each", "÷limit", "msg/s meanwhile", "CPU s/1000")
    base = found.get(limit)
    each = base.each if isinstance(base, Idle) else None
    rows, notes = [], []
    for name, idle in found.items():
        if isinstance(idle, str):
            rows.append((titles[name], *("failed",) * 2, *("",) * 3))
            notes.append(f"{titles[name]}: {idle}")
            continue
        rows.append(
            (
                titles[name],
                f"{idle.sessions:,}",
                f"{idle.each / 1024:,.1f}",
                ratio(idle.each, each),
                f"{idle.meanwhile.run.rate:,.0f}",
                f"{idle.meanwhile.cost:.3f}",
            )
        )
    title = "idle: sessions that say nothing, and one 4 KiB message per connection meanwhile"
    return "\n".join((title, "", table(head, rows), *notes))


def growth(costs: Mapping[int, float]) -> float:
    """How much faster than its size a cost grows, over the last step.

    Args:
        costs: processor seconds by size, at least two sizes.

    Returns:
        1.0 for a cost that grows as its size does; less where a part of it is the same for all
        sizes; over a step of ten, 10 for one that grows with the square. Zero when the cost of
        the size before was too small to measure.
    """
    *_, before, last = sorted(costs)
    if costs[before] <= 0:
        return 0.0
    return (costs[last] / costs[before]) / (last / before)


def linear_table(
    dimension: str, found: Mapping[str, Mapping[int, Sample] | str], titles: Mapping[str, str]
) -> str:
    """Cost of one message at 1, 10, 100, 1,000 of something.

    For connections the cost of a message should not change at all, so the last column is the
    cost at the most over that at the second least; elsewhere it is ``growth``.
    """
    sizes = sorted(
        {size for cells in found.values() if not isinstance(cells, str) for size in cells}
    )
    flat = dimension == "sessions"
    head = ("server", *(f"{size:,}" for size in sizes), "last/first" if flat else "growth")
    rows, notes = [], []
    for name, cells in found.items():
        if isinstance(cells, str):
            rows.append((titles[name], "failed", *("",) * len(sizes)))
            notes.append(f"{titles[name]}: {cells}")
            continue
        costs = {size: sample.cost for size, sample in cells.items()}
        row = [f"{costs[size]:.3f}" if size in costs else "-" for size in sizes]
        known = sorted(costs)
        if flat and len(known) > 2:
            row.append(ratio(costs[known[-1]], costs[known[1]]))
        elif not flat and len(known) > 2:
            row.append(f"{growth(costs):.2f}")
        else:
            row.append("-")
        rows.append((titles[name], *row))
    title = f"linear: {LINEAR[dimension]}; CPU milliseconds per message"
    return "\n".join((title, "", table(head, rows), *notes))


def commit() -> str:
    """Short name of the commit that was measured, with ``-dirty`` where the tree has changes."""
    done = subprocess.run(
        ("git", "describe", "--always", "--dirty", "--exclude=*"),
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "no-commit"


def heading(now: datetime, rounds: int, seconds: float) -> str:
    """When, what and on which machine; no host name."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    facts = (
        ("date", now.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", commit()),
        ("kernel", platform.release()),
        ("processor", f"{os.cpu_count()} x {model[1] if model else platform.machine()}"),
        ("python", f"{platform.python_version()}, uvloop {_version('uvloop')}"),
        ("peers", f"aiosmtpd {_version('aiosmtpd')}; {_debian()}"),
        ("rounds", f"{rounds}, interleaved, of about {seconds:g} s each; medians"),
        ("load", f"{os.getloadavg()[0]:.2f} at the end"),
        ("spool", str(spool_base())),
    )
    return "\n".join(f"{name:<10} {value}" for name, value in facts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _debian() -> str:
    """Versions of the Debian packages the peers come from."""
    done = subprocess.run(
        ("dpkg-query", "-W", "-f", "${Package} ${Version}; ", "postfix", "qpsmtpd", "nodejs"),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip("; ")


def path(now: datetime, *, quick: bool = False) -> Path:
    """Where a report of *now* is kept."""
    name = f"{now.astimezone(UTC):%Y-%m-%d}-{commit()}{'-quick' * quick}.txt"
    return _ROOT / "bench" / "results" / name
