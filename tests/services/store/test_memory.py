from qpsmtpd.hooks.chain import step
from qpsmtpd.services.clock import FakeClock
from qpsmtpd.services.store.memory import MemoryStore


def test_a_full_store_drops_what_has_expired_and_then_the_oldest():
    clock = FakeClock()
    store = MemoryStore(clock=clock, entries=10)
    for number in range(5):
        step(store.set(f"old{number}", number, ttl=10))
    for number in range(5):
        step(store.set(f"new{number}", number))
    clock.advance(10)
    step(store.set("one more", 1))
    assert len(step(store.scan())) == 6
    for number in range(5):
        step(store.set(f"later{number}", number))
    assert len(step(store.scan())) <= 10
    assert step(store.get("new0")) is None
    assert step(store.get("later4")) == 4


def test_an_update_may_ask_the_store_it_updates():
    store = MemoryStore()
    step(store.set("other", 5))
    assert step(store.update("key", lambda old: step(store.get("other")))) == 5
