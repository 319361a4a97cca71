"""What the file has to stand: other processes, forks, faults, age."""

import multiprocessing
import os
import sqlite3
import stat
import threading
import time

import pytest
from tests.services.running import run_in_task

from qpsmtpd.hooks.chain import step
from qpsmtpd.services.store import StoreError
from qpsmtpd.services.store.asyncio import LoopSqliteStore
from qpsmtpd.services.store.database import SWEEP_ROWS
from qpsmtpd.services.store.sqlite import SqliteStore

FLAVOURS = {"blocking": (SqliteStore, step), "loop": (LoopSqliteStore, run_in_task)}


@pytest.fixture(params=FLAVOURS)
def kind(request):
    return FLAVOURS[request.param]


def count(flavour, path, times):
    """Count to *times* in a process of its own, with every method that writes."""
    kind, run = FLAVOURS[flavour]
    store = kind(path, busy_timeout=30.0).namespace("counter")

    async def main():
        for _ in range(times):
            await store.incr("incr")
            await store.update("update", lambda old: (old or 0) + 1)

    run(main())
    store.namespace("any").close()


@pytest.mark.parametrize(
    "flavours", [["blocking"] * 4, ["loop"] * 4, ["blocking", "loop"] * 2], ids=" ".join
)
def test_processes_count_together(path, flavours):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count, args=(each, path, 250)) for each in flavours]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    store = SqliteStore(path).namespace("counter")
    assert step(store.scan()) == [("incr", 1000), ("update", 1000)]
    store.close()


def test_both_flavours_see_the_same_file(path):
    blocking, loop = SqliteStore(path), LoopSqliteStore(path)
    step(blocking.namespace("a").set("key", 1))
    assert run_in_task(loop.namespace("a").incr("key")) == 2
    assert step(blocking.namespace("a").incr("key")) == 3
    assert run_in_task(loop.namespace("a").scan()) == [("key", 3)]
    blocking.close()
    loop.close()


def test_a_forked_process_opens_the_file_itself(kind, path):
    store = kind[0](path)
    kind[1](store.set("key", 1))
    pid = os.fork()
    if not pid:
        try:  # whatever happens, the test run must not go on in two processes
            code = 0 if kind[1](store.incr("key")) == 2 else 1
        except BaseException:  # noqa: BLE001 - as above
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert kind[1](store.incr("key")) == 3
    store.close()


def test_nothing_is_opened_before_it_is_needed(kind, path):
    store = kind[0](path)
    store.namespace("a")
    store.close()
    assert not os.path.exists(path)  # noqa: PTH110 - the shortest way to ask


def test_a_new_file_is_for_its_owner_only(kind, path):
    store = kind[0](path)
    kind[1](store.set("key", 1))
    for name in (path, path + "-wal", path + "-shm"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600  # noqa: PTH116 - as above
    store.close()


def test_the_file_is_in_wal_mode(path):
    store = SqliteStore(path)
    step(store.set("key", 1))
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    store.close()


def test_a_reader_waits_for_no_writer(kind, path):
    store = kind[0](path, busy_timeout=0.05)
    kind[1](store.set("key", 1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert kind[1](store.get("key")) == 1
    assert kind[1](store.scan()) == [("key", 1)]
    other.close()
    store.close()


@pytest.mark.parametrize("method", ["set", "incr"])
def test_a_file_that_stays_locked_is_an_error_in_bounded_time(kind, path, method):
    store = kind[0](path, busy_timeout=0.05)
    kind[1](store.set("key", 1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"stayed locked for 0\.05 seconds"):
        kind[1](getattr(store, method)("key", 2))
    assert time.monotonic() - started < 2
    other.execute("ROLLBACK")
    kind[1](getattr(store, method)("key", 2))
    other.close()
    store.close()


def test_a_file_locked_while_it_is_made_is_an_error_in_bounded_time(kind, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = kind[0](path, busy_timeout=0.05)
    with pytest.raises(StoreError, match="stayed locked"):
        kind[1](store.get("key"))
    other.close()
    assert kind[1](store.get("key")) is None
    store.close()


def spoil_header(path):
    with open(path, "wb") as file:  # noqa: PTH123 - the shortest way
        file.write(b"no database at all\n" * 200)


def spoil_pages(path):
    store = SqliteStore(path)
    for number in range(500):
        step(store.set(f"key{number}", "x" * 100))
    store.close()
    with open(path, "r+b") as file:  # noqa: PTH123 - as above
        file.seek(4096)
        file.write(b"\xa5" * (os.fstat(file.fileno()).st_size - 4096))


@pytest.mark.parametrize("spoil", [spoil_header, spoil_pages])
def test_a_spoiled_file_is_an_error_until_it_is_moved_away(kind, path, spoil):
    spoil(path)
    store = kind[0](path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"store\.sqlite.*move it away"):
            kind[1](store.incr("key1"))
        with pytest.raises(StoreError, match=r"store\.sqlite"):
            kind[1](store.get("key1"))
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):  # noqa: PTH110 - as above
            os.remove(path + suffix)  # noqa: PTH107 - as above
    assert kind[1](store.incr("key1")) == 1
    store.close()


def test_a_file_that_cannot_be_made_is_an_error(kind, tmp_path):
    store = kind[0](str(tmp_path / "missing" / "store.sqlite"))
    with pytest.raises(StoreError, match="unable to open"):
        kind[1](store.set("key", 1))
    (tmp_path / "missing").mkdir()
    kind[1](store.set("key", 1))
    store.close()


def test_a_directory_in_place_of_the_file_is_an_error(kind, tmp_path):
    store = kind[0](str(tmp_path))
    with pytest.raises(StoreError, match="unable to open"):
        kind[1](store.set("key", 1))
    store.close()


def test_a_full_disk_is_an_error_and_reading_goes_on(path):
    store = SqliteStore(path)
    step(store.set("key", 1))
    with store.database.reading():
        connection = store.database._open()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        step(store.set("big", "x" * 100_000))
    assert step(store.get("key")) == 1
    assert step(store.get("big")) is None
    store.close()


def test_what_others_wrote_into_the_file_is_an_error(kind, path):
    store = kind[0](path)
    kind[1](store.set("key", 1))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE entries SET value = 'no json'")
    other.close()
    with pytest.raises(StoreError, match="cannot be read"):
        kind[1](store.get("key"))
    store.close()


def rows(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM entries").fetchone()[0]
    finally:
        connection.close()


def test_expired_records_are_swept_in_batches(path, clock):
    store = SqliteStore(path, clock=clock)
    store.database.sweep_chance = 0
    with store.database.writing():
        for number in range(SWEEP_ROWS + 10):
            store._do.set(f"key{number}", number, 60)
    step(store.set("lasting", 1, ttl=600))
    step(store.set("for ever", 1))
    assert store.database.sweep() == 0
    clock.advance(60)
    assert rows(path) == SWEEP_ROWS + 12
    assert store.database.sweep() == SWEEP_ROWS
    assert store.database.sweep() == 10
    assert store.database.sweep() == 0
    assert [key for key, _ in step(store.scan())] == ["for ever", "lasting"]
    store.close()


def test_writers_sweep_by_chance(path, clock):
    store = SqliteStore(path, clock=clock)
    step(store.set("key", 1, ttl=1))
    clock.advance(1)
    store.database.sweep_chance = 0
    step(store.set("a", 1))
    assert rows(path) == 2
    store.database.sweep_chance = 1
    step(store.set("b", 1))
    assert rows(path) == 2
    store.close()


def test_an_update_that_asks_its_own_store_is_refused_and_not_stuck(path):
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="may only compute"):
        step(store.update("key", lambda old: step(store.incr("other"))))
    assert step(store.scan()) == []
    store.close()


def test_threads_share_a_store(path):
    store = SqliteStore(path)
    threads = [
        threading.Thread(target=lambda: [step(store.incr("key")) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert step(store.get("key")) == 200
    store.close()


def test_a_process_killed_in_a_write_leaves_a_whole_file(path):
    store = SqliteStore(path)
    step(store.set("key", 1))
    pid = os.fork()
    if not pid:
        mine = SqliteStore(path)
        step(mine.set("key", 2))
        step(mine.update("key", lambda old: os.kill(os.getpid(), 9)))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert step(store.get("key")) == 2
    assert step(store.incr("key")) == 3
    store.close()
