"""What holds for every store."""

import pytest

from qpsmtpd.services.store import StoreError


def test_what_is_set_is_there_until_deleted(store, do):
    assert do(store.get("key")) is None
    assert do(store.get("key", "default")) == "default"
    assert do(store.set("key", "value")) is None
    assert do(store.get("key", "default")) == "value"
    assert do(store.set("key", "other")) is None
    assert do(store.get("key")) == "other"
    assert do(store.delete("key")) is True
    assert do(store.delete("key")) is False
    assert do(store.get("key")) is None


@pytest.mark.parametrize(
    "value", ["", "grün \0 \n", 0, -1, 2**70, 1.5, True, False, [], {}, {"a": [1, {"b": None}]}]
)
def test_values_come_back_as_they_were(store, do, value):
    do(store.set("key", value))
    found = do(store.get("key", "default"))
    assert (found, type(found)) == (value, type(value))


def test_values_come_back_as_json_brings_them(store, do):
    do(store.set("key", {1: (2, 3)}))
    assert do(store.get("key")) == {"1": [2, 3]}
    assert do(store.setdefault("other", (1, 2))) == [1, 2]
    assert do(store.update("third", lambda _: (1, 2))) == [1, 2]


def test_a_value_that_is_changed_afterwards_stays_as_it_was(store, do):
    value = {"list": []}
    do(store.set("key", value))
    value["list"].append(1)
    do(store.get("key"))["list"].append(2)
    assert do(store.get("key")) == {"list": []}


@pytest.mark.parametrize("value", [None, b"bytes", object(), float("nan"), {("a",): 1}, {1, 2}])
def test_what_json_cannot_hold_is_refused(store, do, value):
    for method in (store.set, store.setdefault):
        with pytest.raises(StoreError, match="cannot be stored"):
            do(method("key", value))
    assert do(store.scan()) == []


@pytest.mark.parametrize(
    "key", ["", "a", "grün@example.org", "\udcff\udc00", "nul\0", "'; --", "%_*", "k" * 10_000]
)
def test_every_text_is_a_key(store, do, key):
    do(store.set(key, 1))
    do(store.set(key + "x", 2))
    assert do(store.get(key)) == 1
    assert do(store.scan(key)) == [(key, 1), (key + "x", 2)]
    assert do(store.delete(key)) is True


def test_a_value_lasts_as_long_as_it_was_given(store, do, clock):
    do(store.set("key", 1, ttl=60))
    do(store.set("for ever", 1))
    clock.advance(59.9)
    assert do(store.get("key")) == 1
    clock.advance(0.1)
    assert do(store.get("key")) is None
    assert do(store.scan()) == [("for ever", 1)]
    assert do(store.delete("key")) is False
    clock.advance(1e9)
    assert do(store.get("for ever")) == 1


def test_set_gives_a_value_a_new_time(store, do, clock):
    do(store.set("key", 1, ttl=60))
    do(store.set("key", 2))
    clock.advance(60)
    assert do(store.get("key")) == 2
    do(store.set("key", 3, ttl=10))
    clock.advance(10)
    assert do(store.get("key")) is None


def test_setdefault_keeps_the_first_value_and_its_time(store, do, clock):
    assert do(store.setdefault("key", 1, ttl=60)) == 1
    clock.advance(30)
    assert do(store.setdefault("key", 2, ttl=60)) == 1
    clock.advance(30)
    assert do(store.setdefault("key", 3)) == 3


@pytest.mark.parametrize("value", [0, "", False, []])
def test_setdefault_takes_nothing_for_nothing(store, do, value):
    do(store.set("key", value))
    assert do(store.setdefault("key", 1)) == value


def test_incr_counts_from_its_first_event(store, do, clock):
    assert do(store.incr("key", ttl=60)) == 1
    clock.advance(59)
    assert do(store.incr("key", ttl=60)) == 2
    assert do(store.incr("key", by=-5)) == -3
    assert do(store.incr("key", 0.5)) == -2.5
    clock.advance(1)
    assert do(store.incr("key")) == 1
    assert do(store.get("key")) == 1


@pytest.mark.parametrize("value", ["1", True, [1]])
def test_incr_counts_numbers_only(store, do, value):
    do(store.set("key", value))
    with pytest.raises(StoreError, match="'key' holds no number"):
        do(store.incr("key"))
    assert do(store.get("key")) == value


def test_update_replaces_a_value_by_what_is_made_of_it(store, do):
    assert do(store.update("key", lambda old: [old])) == [None]
    assert do(store.update("key", lambda old: [*old, 1])) == [None, 1]
    assert do(store.get("key")) == [None, 1]
    assert do(store.update("key", lambda old: None)) is None
    assert do(store.scan()) == []
    assert do(store.update("key", lambda old: None)) is None


def test_update_keeps_the_time_unless_told(store, do, clock):
    do(store.set("key", 1, ttl=60))
    clock.advance(30)
    do(store.update("key", lambda old: old + 1))
    clock.advance(29)
    assert do(store.update("key", lambda old: old + 1, ttl=60)) == 3
    clock.advance(59)
    assert do(store.get("key")) == 3
    clock.advance(1)
    assert do(store.update("key", lambda old: [old], ttl=5)) == [None]
    clock.advance(5)
    assert do(store.get("key")) is None


@pytest.mark.parametrize("error", [KeyError("mine"), StoreError("mine")])
def test_what_an_update_raises_is_raised_and_nothing_changes(store, do, error):
    def function(old):
        old.append(2)
        raise error

    do(store.set("key", [1]))
    with pytest.raises(type(error), match="mine"):
        do(store.update("key", function))
    assert do(store.get("key")) == [1]
    do(store.set("key", [3]))
    assert do(store.get("key")) == [3]


def test_an_update_whose_value_cannot_be_stored_changes_nothing(store, do):
    do(store.set("key", 1))
    with pytest.raises(StoreError, match="cannot be stored"):
        do(store.update("key", lambda old: object()))
    assert do(store.get("key")) == 1


def test_scan_finds_what_begins_with_a_prefix_in_order(store, do):
    for key in ["b", "a\udcff", "a", "ab", "a\U0010ffff", "c", "a\0", "A"]:
        do(store.set(key, key.lower()))
    found = [key for key, _ in do(store.scan("a"))]
    assert set(found) == {"a", "ab", "a\udcff", "a\U0010ffff", "a\0"}
    assert found[:3] == ["a", "a\0", "ab"]
    assert do(store.scan("a", limit=2)) == [("a", "a"), ("a\0", "a\0")]
    assert len(do(store.scan())) == 8
    assert do(store.scan("a", limit=0)) == []
    assert do(store.scan("nothing")) == []


def test_namespaces_know_nothing_of_each_other(store, do):
    one, two = store.namespace("one"), store.namespace("two")
    inner = one.namespace("inner")
    for number, each in enumerate([store, one, two, inner]):
        do(each.set("key", number))
    assert [do(each.get("key")) for each in (store, one, two, inner)] == [0, 1, 2, 3]
    assert do(one.scan()) == [("key", 1)]
    assert do(one.delete("key")) is True
    assert do(two.get("key")) == 2
    assert do(store.namespace("two").get("key")) == 2
    assert do(store.namespace("one").namespace("inner").get("key")) == 3


def test_a_closed_store_opens_again(store, do):
    do(store.set("key", 1))
    store.close()
    store.close()
    assert do(store.get("key")) == 1


def test_errors_carry_their_reply(store, do):
    with pytest.raises(StoreError) as caught:
        do(store.set("key", None))
    assert (caught.value.code, caught.value.status) == (451, "4.3.0")
