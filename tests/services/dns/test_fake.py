import asyncio

import pytest

from qpsmtpd.hooks.chain import step
from qpsmtpd.services.clock import FakeClock
from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.fake import FakeDns
from qpsmtpd.services.dns.message import Question
from qpsmtpd.services.dns.stub import StubServer
from qpsmtpd.services.dns.zone import Zone


@pytest.fixture
def dns():
    return FakeDns({"Example.org": {"A": ["192.0.2.1"], "MX": [(10, "mx.example.org")]}})


def test_records_are_found_and_questions_noted(dns):
    assert step(dns.query("EXAMPLE.ORG.", "A")).records == ("192.0.2.1",)
    assert step(dns.query("example.org", "TXT")).status is Status.NODATA
    assert step(dns.query("org", "TXT")).status is Status.NODATA
    assert step(dns.query("net", "TXT")).status is Status.NXDOMAIN
    assert step(dns.query("bad..name", "TXT")).status is Status.NXDOMAIN
    assert dns.questions == [
        ("example.org", "A"),
        ("example.org", "TXT"),
        ("org", "TXT"),
        ("net", "TXT"),
    ]


def test_helpers_work_as_in_the_real_one(dns):
    dns.add("1.2.0.192.in-addr.arpa", "PTR", "example.org")
    dns.add("null.example", "MX", (0, ""))
    assert step(dns.ptr("192.0.2.1")).records == ("example.org",)
    assert step(dns.addresses("example.org")).records == ("192.0.2.1",)
    assert step(dns.mx("null.example")).null_mx
    assert not step(dns.mx("example.org")).null_mx


def test_failures_are_by_name_or_by_name_and_type(dns):
    dns.fail("example.org", Status.TIMEOUT, "A")
    assert step(dns.query("example.org", "A")).status is Status.TIMEOUT
    assert step(dns.query("example.org", "MX")).found
    dns.fail("Example.ORG")
    assert step(dns.query("example.org", "MX")).status is Status.SERVFAIL
    assert step(dns.query("example.org", "A")).status is Status.TIMEOUT


def test_delays_pass_on_the_clock_and_may_be_too_long():
    clock = FakeClock()
    dns = FakeDns({"a.example": {"A": ["192.0.2.1"]}, "b.example": {}}, clock=clock)
    dns.delay("a.example", 3)
    assert step(dns.query("a.example", "A")).found
    assert clock.monotonic() == 3
    dns.delay("b.example", 60)
    found = step(dns.query_all([("a.example", "A"), ("b.example", "A")], timeout=20))
    assert [answer.status for answer in found] == [Status.FOUND, Status.TIMEOUT]
    assert clock.monotonic() == 23


def test_delays_can_be_waited_for_in_a_loop():
    clock = FakeClock(manual=True)
    dns = FakeDns({"a.example": {"A": ["192.0.2.1"]}}, clock=clock)
    dns.delay("a.example", 3)

    async def main():
        waiting = asyncio.ensure_future(dns.query("a.example", "A"))
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.advance(3)
        return await waiting

    assert asyncio.run(main()).found


def test_answers_are_cut_at_a_hundred_records(dns):
    dns.add("many.example", "MX", *((n, f"mx{n}.example") for n in range(150)))
    assert len(step(dns.mx("many.example")).records) == 100


def test_a_zone_refuses_what_the_dns_cannot_hold():
    with pytest.raises(ValueError, match="unknown record type"):
        Zone({"a.example": {"ANY": ["x"]}})
    with pytest.raises(ValueError, match="label"):
        Zone({"a..example": {"A": ["192.0.2.1"]}})


def test_a_name_can_be_taken_away():
    zone = Zone({"a.example": {"A": ["192.0.2.1"]}, "b.a.example": {"A": ["192.0.2.2"]}})
    zone.remove("A.example")
    assert zone.answer(Question("a.example", "A")).status is Status.NODATA
    zone.remove("b.a.example")
    assert zone.answer(Question("a.example", "A")).status is Status.NXDOMAIN


ALIASES = {
    "example.org": {"A": ["192.0.2.1"]},
    "www.example.org": {"CNAME": ["example.org"]},
    "far.example.org": {"CNAME": ["www.example.org"]},
    "lost.example.org": {"CNAME": ["nix.example.net"]},
    "one.example.org": {"CNAME": ["two.example.org"]},
    "two.example.org": {"CNAME": ["one.example.org"]},
    **{f"n{n}.example.org": {"CNAME": [f"n{n + 1}.example.org"]} for n in range(10)},
}


def test_the_fake_answers_as_the_real_one_does(ask):
    questions = [(name, rdtype) for name in ALIASES for rdtype in ("A", "MX", "CNAME")]
    fake = step(FakeDns(ALIASES).query_all(questions))
    with StubServer(ALIASES) as server:
        real = ask(lambda dns: dns.query_all(questions), nameservers=[server.address])

    def essence(answer: Answer):
        return answer._replace(ttl=0, reason="")

    assert list(map(essence, fake)) == list(map(essence, real))
