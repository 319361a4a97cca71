"""What was read from files."""

import threading

from qpsmtpd.config import cdb, readings
from qpsmtpd.config.carriers import Carriers
from qpsmtpd.config.readings import Readings, forget
from qpsmtpd.config.schema import SETTINGS


def make(tmp_path):
    return Readings(Carriers([str(tmp_path)], {}, None, ""))


def test_a_setting_is_read_once(tmp_path):
    (tmp_path / "me").write_text("x")
    read = make(tmp_path)
    entry = read.lines("me")
    (tmp_path / "me").write_text("longer")
    assert read.lines("me") is entry
    assert read.drop_stale(None)
    assert read.lines("me").typed == "longer"
    assert not read.drop_stale(None)


def test_a_setting_another_thread_has_just_read_is_not_read_again(tmp_path):
    (tmp_path / "me").write_text("x")
    read = make(tmp_path)
    entry = read.lines("me")
    assert read._load(read._lines, "me") is entry


def test_threads_get_the_same_objects(tmp_path):
    (tmp_path / "rcpthosts").write_text("x\n" * 2000)
    read = make(tmp_path)
    barrier = threading.Barrier(8)
    found = []

    def look():
        barrier.wait()
        found.append(read.lines("rcpthosts").lines)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(lines) for lines in found}) == 1


def test_a_file_that_comes_or_goes_is_noticed(tmp_path):
    read = make(tmp_path)
    assert read.file("ssl") is None
    assert read.map("morercpthosts").typed == {}
    assert not read.drop_stale(None)
    (tmp_path / "ssl").mkdir()
    cdb.write(str(tmp_path / "morercpthosts.cdb"), [(b"a", b"")])
    assert read.drop_stale(None)
    assert read.file("ssl") == str(tmp_path / "ssl")
    assert dict(read.map("morercpthosts").typed) == {"a": ""}
    assert {str(tmp_path / "ssl"), str(tmp_path / "morercpthosts.cdb")} <= read.watched()
    (tmp_path / "ssl").rmdir()
    assert read.drop_stale(None)
    assert read.file("ssl") is None


def test_a_map_that_cannot_be_read_stays_as_it_was(tmp_path):
    path = tmp_path / "morercpthosts.cdb"
    cdb.write(str(path), [(b"a", b"")])
    read = make(tmp_path)
    assert "a" in read.map("morercpthosts").typed
    (tmp_path / "junk").write_text("x")
    (tmp_path / "junk").replace(path)
    assert read.drop_stale(None)
    assert "a" in read.map("morercpthosts").typed
    assert [problem.file for problem in read.problems()] == [str(path)]


def test_a_map_that_may_not_be_read(tmp_path):
    (tmp_path / "morercpthosts.cdb").mkdir()
    entry = make(tmp_path).map("morercpthosts")
    assert not entry.usable
    assert "cannot be read" in entry.problems[0].text


def test_names_that_are_in_no_table_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "_STRANGERS", 10)
    read = make(tmp_path)
    me = read.lines("me")
    for number in range(2 * len(SETTINGS) + 50):
        read.lines(f"dkim/d{number}.example/selector")
        read.file(f"dkim/d{number}.example")
    assert len(read._lines) <= len(SETTINGS) + 11
    assert len(read._files) <= len(SETTINGS) + 11
    assert read.lines("me") is me
    read._lines["stranger"] = me
    read.drop_stale({"stranger"})
    assert read._former == {}


def test_forgetting_leaves_the_table_alone():
    entries = dict.fromkeys([*SETTINGS, *map(str, range(5000))])
    forget(entries)
    assert entries == dict.fromkeys(SETTINGS)
