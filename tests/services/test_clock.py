import asyncio
import time

import pytest

from qpsmtpd.hooks.chain import step
from qpsmtpd.services.clock import FakeClock, LoopClock, SystemClock


@pytest.mark.parametrize("kind", [SystemClock, LoopClock])
def test_the_computers_clock_tells_its_time(kind):
    before = time.time(), time.monotonic()
    clock = kind()
    found = clock.now(), clock.monotonic()
    after = time.time(), time.monotonic()
    assert all(a <= b <= c for a, b, c in zip(before, found, after, strict=True))


@pytest.mark.parametrize("seconds", [0, -1])
@pytest.mark.parametrize("kind", [SystemClock, LoopClock, FakeClock])
def test_no_time_at_all_is_no_wait(kind, seconds):
    started = time.monotonic()
    assert step(kind().sleep(seconds)) is None
    assert time.monotonic() - started < 1


def test_the_blocking_clock_sleeps_without_suspending():
    started = time.monotonic()
    step(SystemClock().sleep(0.01))
    assert time.monotonic() - started >= 0.01


def test_the_loop_goes_on_while_its_clock_sleeps():
    heard = []

    async def main():
        asyncio.get_running_loop().call_soon(heard.append, "callback")
        await LoopClock().sleep(0.001)
        heard.append("sleeper")

    asyncio.run(main())
    assert heard == ["callback", "sleeper"]


def test_a_fake_clock_moves_when_told():
    clock = FakeClock(1000)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_sleep_moves_a_fake_clock_at_once():
    clock = FakeClock(1000)
    step(clock.sleep(3600))
    step(clock.sleep(0))
    assert clock.now() == 4600
    assert clock.slept == [3600, 0]


def test_sleepers_of_a_manual_clock_wake_in_order():
    clock = FakeClock(manual=True)
    woken = []

    async def sleeper(name, seconds):
        await clock.sleep(seconds)
        woken.append(name)

    async def main():
        tasks = [
            asyncio.ensure_future(sleeper(*each))
            for each in [("late", 5), ("early", 1), ("same", 5), ("left", 2)]
        ]
        await asyncio.sleep(0)
        assert clock.slept == [5, 1, 5, 2]
        tasks[3].cancel()
        await asyncio.sleep(0)
        clock.advance(4)
        await asyncio.sleep(0)
        assert woken == ["early"]
        clock.advance(1)
        await asyncio.gather(*tasks[:3])

    asyncio.run(main())
    assert woken == ["early", "late", "same"]
