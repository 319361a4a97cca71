"""What only the event-loop transport has: shared questions, callers that leave, its sockets."""

import asyncio

import pytest
import uvloop

from qpsmtpd.services.dns.asyncio import LoopDns
from qpsmtpd.services.dns.cache import Cache
from qpsmtpd.services.dns.contract import Status
from qpsmtpd.services.dns.ports import OPEN, QUESTIONS
from qpsmtpd.services.dns.stub import Manners

NAME = "v4.example.org"


async def condition(true, seconds=5.0):
    """Wait until a condition holds, in turns of the loop."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "waited for nothing"
        await asyncio.sleep(0.001)


@pytest.fixture
def with_dns(stub, clock):
    def run(use, *, cached=True, **options):
        async def main():
            cache = Cache(clock, entries=10_000 if cached else 0)
            dns = LoopDns([stub.address], **{"retry": 5.0, "cache": cache, **options})
            try:
                return await use(dns)
            finally:
                dns.close()

        return asyncio.run(main())

    return run


def test_identical_questions_in_flight_are_one(with_dns, stub):
    async def many(dns):
        return await asyncio.gather(
            *(dns.query(NAME, "A") for _ in range(50)),
            dns.query_all([(NAME.upper(), "A"), (NAME, "MX")]),
        )

    *single, both = with_dns(many)
    assert {answer.records for answer in single} == {("192.0.2.4",)}
    assert [answer.status for answer in both] == [Status.FOUND, Status.NODATA]
    assert sorted(asked.type for asked in stub.asked) == ["A", "MX"]


def test_each_caller_has_its_own_deadline(with_dns, stub):
    stub.delay(NAME, 0.1)

    async def two(dns):
        return await asyncio.gather(
            dns.query(NAME, "A", timeout=0.02), dns.query(NAME, "A", timeout=5)
        )

    impatient, patient = with_dns(two)
    assert (impatient.status, patient.status) == (Status.TIMEOUT, Status.FOUND)
    assert len(stub.asked) == 1


def test_a_caller_that_leaves_takes_nothing_from_the_others(with_dns, stub):
    stub.delay(NAME, 0.05)

    async def two(dns):
        leaver = asyncio.ensure_future(dns.query(NAME, "A"))
        stayer = asyncio.ensure_future(dns.query(NAME, "A"))
        await condition(lambda: stub.asked)
        leaver.cancel()
        found = await stayer
        with pytest.raises(asyncio.CancelledError):
            await leaver
        return found

    assert with_dns(two).found
    assert len(stub.asked) == 1


def test_a_question_nobody_waits_for_is_given_up(with_dns, stub):
    stub.misbehave(NAME, Manners.SILENT)

    async def leave(dns):
        leaver = asyncio.ensure_future(dns.query_all([(NAME, "A"), (NAME, "MX")]))
        await condition(lambda: len(stub.asked) == 2)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        assert dns.in_flight == 0
        stub.misbehave(NAME, Manners.SILENT, times=0)
        return await dns.query(NAME, "A")

    assert with_dns(leave).found


def test_closing_tells_who_still_waits(with_dns, stub):
    stub.misbehave(NAME, Manners.SILENT)

    async def close(dns):
        waiting = asyncio.ensure_future(dns.query(NAME, "A"))
        await condition(lambda: stub.asked)
        dns.close()
        return await waiting

    found = with_dns(close)
    assert (found.status, found.reason) == (Status.SERVFAIL, "the resolver was closed")


def test_a_resolver_survives_its_loop(stub, clock, open_descriptors):
    dns = LoopDns([stub.address], cache=Cache(clock, entries=0))
    before = open_descriptors()
    for _ in range(3):
        found = asyncio.run(dns.query(NAME, "A"))
        assert found.found
    assert open_descriptors() == before + 1
    dns.close()
    assert open_descriptors() == before


def test_a_loop_that_ends_under_a_question_does_no_harm(stub, clock):
    stub.misbehave(NAME, Manners.TCP_SILENT)
    dns = LoopDns([stub.address], cache=Cache(clock, entries=0))
    abandoned = []

    async def abandon():
        coroutine = dns.query(NAME, "A")
        coroutine.send(None)
        abandoned.append(coroutine)
        await condition(lambda: len(stub.asked) == 2)

    asyncio.run(abandon())
    stub.misbehave(NAME, Manners.TCP_SILENT, times=0)
    assert asyncio.run(dns.query(NAME, "A")).found
    abandoned[0].close()
    dns.close()


def test_sockets_are_few_and_given_up_after_a_while(with_dns, stub, open_descriptors):
    rounds = 3 * QUESTIONS // OPEN

    async def many(dns):
        before = open_descriptors()
        for _ in range(rounds):
            await asyncio.gather(*(dns.query(f"n{n}.example.org", "A") for n in range(OPEN)))
            assert open_descriptors() <= before + OPEN

    with_dns(many, cached=False)
    ports = {asked.source for asked in stub.asked}
    assert len(stub.asked) == rounds * OPEN
    assert len(ports) >= OPEN
    uses = [sum(asked.source == port for asked in stub.asked) for port in ports]
    assert max(uses) <= QUESTIONS


def test_the_loop_goes_on_while_a_question_is_open(with_dns, stub):
    stub.delay(NAME, 0.02)

    async def count(dns):
        turns = 0
        waiting = asyncio.ensure_future(dns.query(NAME, "A"))
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, waiting.result().found

    turns, found = with_dns(count)
    assert found
    assert turns > 3


def test_uvloop_serves_as_well(stub, clock):
    stub.misbehave("stream.example.org", Manners.TRUNCATED)
    stub.zone.add("stream.example.org", "A", "192.0.2.9")

    async def main():
        dns = LoopDns([stub.address], clock=clock)
        try:
            return await dns.query_all([(NAME, "A"), ("stream.example.org", "A")])
        finally:
            dns.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert [answer.records for answer in runner.run(main())] == [
            ("192.0.2.4",),
            ("192.0.2.9",),
        ]
