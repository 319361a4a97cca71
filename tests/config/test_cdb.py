"""Constant databases."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsmtpd.config.cdb import Database, write
from qpsmtpd.errors import ConfigError

RECORDS = [(b"!example.com-", b"alias"), (b"a", b"1"), (b"a", b"2"), (b"", b"empty"), (b"b", b"")]

#: "one" and "two" to "Hello" and "Goodbye", laid out by hand after the description of the format
KNOWN = {b"one": b"Hello", b"two": b"Goodbye"}


def by_hand() -> bytes:
    """Make a database without the code under test."""
    records, tables, position = b"", {}, 2048
    for key, value in KNOWN.items():
        number = 5381
        for octet in key:
            number = (number * 33) % 2**32 ^ octet
        tables[number % 256] = struct.pack("<IIII", *slots(number, position))
        record = struct.pack("<II", len(key), len(value)) + key + value
        records += record
        position += len(record)
    header, hashes = b"", b""
    for table in range(256):
        slots_of = tables.get(table, b"")
        header += struct.pack("<II", position + len(hashes), len(slots_of) // 8)
        hashes += slots_of
    return header + records + hashes


def slots(number: int, position: int) -> tuple[int, int, int, int]:
    """Lay out a table of two slots with one record."""
    record = (number, position)
    return (*record, 0, 0) if number // 256 % 2 == 0 else (0, 0, *record)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "users.cdb")


def test_records_are_found(path):
    write(path, RECORDS)
    database = Database(path)
    assert "!example.com-" in database
    assert database["!example.com-"] == "alias"
    assert database["a"] == "1", "the first of equal keys counts"
    assert database[""] == "empty"
    assert database["b"] == ""
    assert database.get("c") is None
    assert 3 not in database
    assert list(database) == ["!example.com-", "a", "", "b"]
    assert len(database) == 4
    with pytest.raises(KeyError):
        database["c"]
    assert repr(database) == f"Database({path!r})"
    database.close()


def test_a_known_file_is_read_and_written(path):
    with Path(path).open("wb") as file:
        file.write(by_hand())
    assert dict(Database(path)) == {"one": "Hello", "two": "Goodbye"}
    write(path, KNOWN.items())
    with Path(path).open("rb") as file:
        assert file.read() == by_hand()


def test_an_empty_database(path):
    write(path, [])
    database = Database(path)
    assert len(database) == 0
    assert "a" not in database


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=60))
def test_round_trip(tmp_path_factory, records):
    path = str(tmp_path_factory.getbasetemp() / "round.cdb")
    write(path, records)
    database = Database(path)
    expected = {}
    for key, value in records:
        expected.setdefault(
            key.decode(errors="surrogateescape"), value.decode(errors="surrogateescape")
        )
    assert dict(database) == expected
    assert list(database) == list(expected)
    assert all(key in database for key in expected)
    database.close()


def test_colliding_keys_are_told_apart(path):
    # 5381 * 33 ^ x: "Aa" and "B@" have one hash
    write(path, [(b"Aa", b"1"), (b"x", b"2")])
    collisions = [
        (bytes([first, second]), b"") for first in range(64, 70) for second in range(64, 128)
    ]
    write(path, [(key, key) for key, _ in collisions])
    database = Database(path)
    assert all(database[key.decode()] == key.decode() for key, _ in collisions)
    assert len(database) == len(collisions)
    assert not any(f"{number}" in database for number in range(256))


def test_a_full_table_ends_the_search(path):
    write(path, [(b"a", b"")])
    with Path(path).open("r+b") as file:
        content = bytearray(file.read())
    start = struct.unpack_from("<I", content, len(content) - 4)[0] or 2048
    content[-16:] = struct.pack("<IIII", 1, start, 1, start)
    with Path(path).open("wb") as file:
        file.write(content)
    assert "a" not in Database(path)


@pytest.mark.parametrize("content", [b"", b"x" * 2047, b"x" * 4096, bytes(4096)])
def test_what_is_no_database(path, content):
    with Path(path).open("wb") as file:
        file.write(content)
    with pytest.raises(ConfigError, match=r"is no constant database; make it again") as caught:
        Database(path)
    assert caught.value.file == path


@pytest.mark.parametrize("place", ["length", "position", "near the end"])
def test_damage_is_noticed(path, place):
    write(path, [(b"key", b"value")])
    with Path(path).open("r+b") as file:
        content = bytearray(file.read())
        slot = len(content) - 8 if any(content[-8:]) else len(content) - 16
        if place == "length":
            struct.pack_into("<I", content, 2048, 1 << 31)
        else:
            position = 1 << 31 if place == "position" else len(content) - 17
            struct.pack_into("<I", content, slot + 4, position)
        file.seek(0)
        file.write(content)
    with pytest.raises(ConfigError, match="is no constant database; make it again"):
        assert "key" in Database(path)


def test_a_table_behind_the_end_is_noticed(path):
    write(path, [(b"key", b"value")])
    with Path(path).open("r+b") as file:
        header = bytearray(file.read(2048))
        for table in range(256):
            struct.pack_into("<I", header, 8 * table + 4, 1 << 30)
        file.seek(0)
        file.write(header)
    with pytest.raises(ConfigError, match="is no constant database"):
        assert "key" in Database(path)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 2200), st.binary(min_size=1, max_size=8))
def test_no_damage_does_worse_than_an_error(tmp_path_factory, offset, junk):
    path = str(tmp_path_factory.getbasetemp() / "damaged.cdb")
    write(path, RECORDS)
    with Path(path).open("r+b") as file:
        size = len(file.read())
        file.seek(min(offset, size - len(junk)))
        file.write(junk)
    try:
        database = Database(path)
        list(database.items())
        assert ("zzz" in database) in {True, False}
    except (ConfigError, KeyError):
        pass


def test_a_file_changed_in_place_is_not_read(path):
    write(path, RECORDS)
    database = Database(path)
    os.truncate(path, 100)
    with pytest.raises(ConfigError, match=r"was changed in place; make a new file and rename it"):
        assert "a" in database


def test_a_file_replaced_by_renaming_stays_readable(path):
    write(path, RECORDS)
    database = Database(path)
    write(path, [])
    assert database["a"] == "1"


def test_a_failed_writing_leaves_nothing(path, tmp_path):
    write(path, RECORDS)

    def records():
        yield b"a", b"b"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(path, records())
    assert [entry.name for entry in tmp_path.iterdir()] == ["users.cdb"]
    assert Database(path)["a"] == "1"


def test_a_directory_that_is_not_there(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        write(str(tmp_path / "nowhere" / "x.cdb"), RECORDS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        Database(path)
