"""What only the event-loop store has: one thread, groups, callers that leave."""

import asyncio
import threading

import pytest

from qpsmtpd.services.store import StoreError
from qpsmtpd.services.store import asyncio as module
from qpsmtpd.services.store.asyncio import LoopSqliteStore


@pytest.fixture
def store(path, clock):
    made = LoopSqliteStore(path, clock=clock)
    yield made
    made.close()


@pytest.fixture
def held(store):
    """Keep the store's thread busy until released, so that calls queue up."""
    release, busy = threading.Event(), threading.Event()

    def hold(old):
        busy.set()
        release.wait(10)
        return 1

    async def start():
        holder = asyncio.ensure_future(store.update("held", hold))
        while not busy.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0)
        return holder

    start.release = release
    yield start
    release.set()


def test_what_has_queued_up_is_one_transaction(store, held, monkeypatch):
    groups = []
    perform = store.database.perform

    def counted(jobs, *, writes):
        groups.append((len(jobs), writes))
        return perform(jobs, writes=writes)

    monkeypatch.setattr(store.database, "perform", counted)

    async def main():
        holder = await held()
        writers = [asyncio.ensure_future(store.incr("key")) for _ in range(99)]
        reader = asyncio.ensure_future(store.get("key"))
        await asyncio.sleep(0)
        held.release.set()
        found = await asyncio.gather(*writers)
        assert await reader == 99
        await holder
        assert await store.get("key") == 99
        return found

    assert asyncio.run(main()) == list(range(1, 100))
    assert groups == [(1, True), (100, True), (1, False)]


def test_groups_are_bounded(store, held, monkeypatch):
    monkeypatch.setattr(module, "GROUP", 10)

    async def main():
        holder = await held()
        calls = [asyncio.ensure_future(store.incr("key")) for _ in range(25)]
        await asyncio.sleep(0)
        held.release.set()
        await holder
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == list(range(1, 26))


def test_one_that_fails_fails_alone(store, held):
    def fail(old):
        raise KeyError("mine")

    def stop(old):
        raise StopIteration

    async def main():
        holder = await held()
        calls = [
            asyncio.ensure_future(call)
            for call in (
                store.incr("a"),
                store.update("a", fail),
                store.update("a", stop),
                store.incr("a"),
            )
        ]
        await asyncio.sleep(0)
        held.release.set()
        await holder
        return await asyncio.gather(*calls, return_exceptions=True)

    first, error, stopped, last = asyncio.run(main())
    assert (first, last) == (1, 2)
    assert isinstance(error, KeyError)
    assert isinstance(stopped, RuntimeError)


def test_a_caller_that_leaves_keeps_nobody(store, held):
    async def main():
        holder = await held()
        leaver = asyncio.ensure_future(store.incr("a"))
        stayer = asyncio.ensure_future(store.incr("b"))
        await asyncio.sleep(0)
        leaver.cancel()
        held.release.set()
        await holder
        assert await stayer == 1
        with pytest.raises(asyncio.CancelledError):
            await leaver

    asyncio.run(main())


def test_a_disk_that_does_not_answer_is_an_error_in_time(path, clock):
    store = LoopSqliteStore(path, clock=clock, timeout=0.05)
    release = threading.Event()

    async def main():
        with pytest.raises(StoreError, match=r"no answer from the disk in 0\.05 seconds"):
            await store.update("key", lambda old: release.wait(10))
        release.set()
        while await store.get("key") is None:
            pass

    asyncio.run(main())
    store.close()


def test_too_many_calls_are_refused(store, held, monkeypatch):
    monkeypatch.setattr(module, "QUEUED", 3)

    async def main():
        holder = await held()
        calls = [asyncio.ensure_future(store.incr("key")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="3 calls wait"):
            await store.incr("key")
        held.release.set()
        await holder
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == [1, 2, 3]


def test_the_loop_goes_on_while_the_disk_works(store, held):
    async def main():
        holder = await held()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not holder.done()
        held.release.set()
        return await holder

    assert asyncio.run(main()) == 1


def test_a_loop_that_is_gone_does_not_end_the_thread(store, held):
    async def leave():
        coroutine = store.incr("key")
        holder = await held()
        coroutine.send(None)
        holder.cancel()
        return coroutine

    coroutine = asyncio.run(leave())
    held.release.set()
    assert asyncio.run(store.incr("key")) == 2
    coroutine.close()


def test_closing_does_what_has_queued_up(store, path):
    async def main():
        calls = [asyncio.ensure_future(store.incr("key")) for _ in range(20)]
        await asyncio.sleep(0)
        store.close()
        return await asyncio.gather(*calls)

    before = threading.active_count()
    assert asyncio.run(main())[-1] == 20
    assert threading.active_count() == before
