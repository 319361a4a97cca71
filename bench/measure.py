"""What a tree of processes has used: processor seconds and memory, from ``/proc``.

Rule: processor time counts the whole tree, living and dead. A dead child's time moves to the
parent that waited for it, so the sum over the living loses nothing, whatever the process model.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "Memory",
    "Stat",
    "cpu_seconds",
    "memory",
    "parse_rollup",
    "parse_stat",
    "processes",
    "read_stat",
    "settle",
    "tree",
]

#: clock ticks in a second, the unit of ``/proc/PID/stat``
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """One line of ``/proc/PID/stat``, as far as it matters here (proc(5))."""

    pid: int
    parent: int
    ticks: int  #: user and system, its own and its reaped children's
    started: int  #: ticks after boot; with the pid it names one process for good


class Memory(NamedTuple):
    """Memory of a tree of processes, in bytes."""

    pss: int  #: shared pages counted once over the tree and its neighbours: the dependable one
    rss: int  #: resident, shared pages counted in every process


def parse_stat(line: str) -> Stat:
    """Read one line of ``/proc/PID/stat``.

    The name in parentheses may itself hold blanks and parentheses, so fields are counted from
    the last closing one.
    """
    head, _, tail = line.rpartition(")")
    fields = tail.split()
    return Stat(
        pid=int(head.partition(" ")[0]),
        parent=int(fields[1]),
        ticks=sum(map(int, fields[11:15])),
        started=int(fields[19]),
    )


def read_stat(pid: int) -> Stat | None:
    """What is known of one process; None if there is none of that number."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return parse_stat(line)


def processes() -> list[Stat]:
    """Every process there is; one that ends meanwhile is left out."""
    stats = (
        read_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()
    )
    return [stat for stat in stats if stat is not None]


def tree(root: int, table: Iterable[Stat]) -> list[Stat]:
    """Return *root* and all its descendants, parents before children."""
    children: dict[int, list[Stat]] = {}
    found = []
    for stat in table:
        children.setdefault(stat.parent, []).append(stat)
        if stat.pid == root:
            found.append(stat)
    for stat in found:  # grows while it is read
        found.extend(children.get(stat.pid, ()))
    return found


def cpu_seconds(root: int) -> float:
    """User and system seconds the tree below *root* has used so far."""
    return sum(stat.ticks for stat in tree(root, processes())) / TICKS


def settle(
    read: Callable[[], float],
    *,
    quiet: float = 0.1,
    limit: float = 15.0,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Wait until a server has finished what it does after its last reply.

    A reading is not made at one moment: a child reaped meanwhile may be missed or counted twice.
    Two that agree were not spoilt by that, so a reading below the one before is no rest either.

    Args:
        read: returns the seconds used so far.
        quiet: seconds in which no more than one tick may be used.
        limit: seconds after which a server that never rests is taken as it is.
        sleep: waits; a test puts its own here.

    Returns:
        The last reading.
    """
    last = read()
    for _ in range(max(1, round(limit / quiet))):
        sleep(quiet)
        now = read()
        if abs(now - last) <= 1.5 / TICKS:
            return now
        last = now
    return last


def parse_rollup(text: str) -> Memory:
    """Read ``/proc/PID/smaps_rollup``."""
    sizes = {}
    for line in text.splitlines()[1:]:
        name, _, value = line.partition(":")
        sizes[name] = int(value.split()[0]) * 1024
    return Memory(sizes["Pss"], sizes["Rss"])


def memory(root: int) -> Memory:
    """Memory of the tree below *root*; a process that ends meanwhile is left out."""
    pss = rss = 0
    for stat in tree(root, processes()):
        try:
            text = Path(f"/proc/{stat.pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text:
            one = parse_rollup(text)
            pss += one.pss
            rss += one.rss
    return Memory(pss, rss)
