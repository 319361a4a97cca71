import pytest

from qpsmtpd.services.clock import FakeClock
from qpsmtpd.services.dns.cache import Cache
from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.message import Question


def answer(name="a.example", status=Status.FOUND, records=("192.0.2.1",), ttl=300):
    return Answer(name, "A", status, records if status is Status.FOUND else (), ttl)


def put(cache, found):
    cache.put(Question(found.name, found.type), found)


def get(cache, name="a.example"):
    return cache.get(Question(name, "A"))


def test_an_answer_is_kept_for_its_time_and_ages():
    clock = FakeClock()
    cache = Cache(clock)
    put(cache, answer(ttl=300))
    clock.advance(100.5)
    assert get(cache) == answer(ttl=199)
    clock.advance(199.5)
    assert get(cache) is None
    assert (len(cache), cache.size) == (0, 0)


@pytest.mark.parametrize("status", [Status.NODATA, Status.NXDOMAIN])
def test_a_denial_is_kept_a_quarter_of_an_hour_at_most(status):
    clock = FakeClock()
    cache = Cache(clock)
    put(cache, answer(status=status, ttl=86400))
    clock.advance(899)
    assert get(cache).status is status
    clock.advance(1)
    assert get(cache) is None


def test_an_answer_is_kept_a_day_at_most():
    clock = FakeClock()
    cache = Cache(clock)
    put(cache, answer(ttl=604800))
    clock.advance(86399)
    assert get(cache).ttl == 1
    clock.advance(1)
    assert get(cache) is None


@pytest.mark.parametrize("status", [Status.SERVFAIL, Status.TIMEOUT])
def test_a_failure_is_not_kept(status):
    cache = Cache(FakeClock())
    put(cache, answer(status=status))
    assert get(cache) is None


def test_nothing_is_kept_that_does_not_last():
    cache = Cache(FakeClock())
    put(cache, answer(ttl=0))
    assert len(cache) == 0


def test_the_least_recently_used_goes_first():
    cache = Cache(FakeClock(), entries=2)
    put(cache, answer("a.example"))
    put(cache, answer("b.example"))
    assert get(cache, "a.example")
    put(cache, answer("c.example"))
    assert [name for name in "abc" if get(cache, f"{name}.example")] == ["a", "c"]


def test_size_is_bounded_and_one_answer_cannot_take_it_all():
    cache = Cache(FakeClock(), octets=64_000)
    for number in range(200):
        put(cache, answer(f"{number}.example", records=("x" * 1000,)))
        assert cache.size <= 64_000
    assert 30 < len(cache) < 50
    before = len(cache)
    put(cache, answer(records=("x" * 60_000,)))
    assert len(cache) == before


def test_an_answer_replaces_the_one_before():
    cache = Cache(FakeClock())
    put(cache, answer(records=("192.0.2.1",)))
    size = cache.size
    put(cache, answer(records=("192.0.2.2",)))
    assert get(cache).records == ("192.0.2.2",)
    assert cache.size == size
    cache.clear()
    assert (len(cache), cache.size, get(cache)) == (0, 0, None)


def test_a_cache_of_no_entries_keeps_nothing():
    cache = Cache(FakeClock(), entries=0)
    put(cache, answer())
    assert get(cache) is None
