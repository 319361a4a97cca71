"""The arithmetic of bench.measure."""

import os
import subprocess
import sys

import pytest
from bench.measure import Stat

from bench import measure


def line(pid, parent, name, times, started=7):
    fields = ["S", parent, *range(9), *times, 20, 0, 1, 0, started, 0]
    return f"{pid} ({name}) " + " ".join(map(str, fields))


@pytest.mark.parametrize("name", ["smtpd", "a b", "odd) S 1 (name", "((", ")"])
def test_stat_is_read_whatever_the_process_is_called(name):
    assert measure.parse_stat(line(42, 1, name, (100, 20, 3, 4))) == Stat(42, 1, 127, 7)


def test_a_tree_is_the_root_and_all_below_it_and_nobody_else():
    table = [Stat(pid, parent, 0, 0) for pid, parent in ((5, 4), (4, 2), (3, 1), (2, 1), (6, 2))]
    assert [stat.pid for stat in measure.tree(2, table)] == [2, 4, 6, 5]


def test_a_tree_without_its_root_is_empty():
    assert measure.tree(9, [Stat(2, 9, 5, 0)]) == []


def test_time_of_reaped_children_is_counted():
    # the program burns time in a child only, waits for it, and reports while it still lives
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    program = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}], check=True)\n"
        "print('done', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"done\n"
        used = measure.cpu_seconds(process.pid)
        process.stdin.close()
        process.wait()
    assert 0.18 <= used < 5


def test_settle_waits_until_nothing_is_used_any_more():
    readings = iter([1.0, 1.5, 2.0, 2.0, 9.0])
    naps = []
    assert measure.settle(lambda: next(readings), quiet=0.1, limit=5, sleep=naps.append) == 2.0
    assert naps == [0.1] * 3


def test_a_child_that_was_missed_is_no_rest():
    readings = iter([5.0, 1.0, 5.0, 5.0])
    assert measure.settle(lambda: next(readings), sleep=lambda _: None) == 5.0


def test_settle_gives_up_on_a_server_that_never_rests():
    clock = iter(range(1000))
    naps = []
    last = measure.settle(lambda: float(next(clock)), quiet=1, limit=4, sleep=naps.append)
    assert (last, len(naps)) == (4.0, 4)


def test_rollup_is_read_in_bytes():
    text = "5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:    1024 kB\n"
    assert measure.parse_rollup(text) == measure.Memory(pss=1 << 20, rss=2 << 20)


def test_memory_of_this_process_is_plausible():
    found = measure.memory(os.getpid())
    assert 1 << 20 < found.pss <= found.rss
