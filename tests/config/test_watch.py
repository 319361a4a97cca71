"""Files that were read, and whether they are still the same."""

import errno
import os

from qpsmtpd.config.watch import Watch, stamp


def test_nothing_is_always_the_same():
    assert not Watch().changed()


def test_a_file_that_stays_has_not_changed(tmp_path):
    (tmp_path / "a").write_text("x")
    watch = Watch()
    assert isinstance(watch.see(str(tmp_path / "a")), tuple)
    assert watch.see(str(tmp_path / "b")) is None
    assert watch.see(str(tmp_path / "a" / "below")) is None
    assert watch.see(str(tmp_path / ("n" * 300))) is None
    assert not watch.changed()


def test_changes_are_seen(tmp_path):
    path = tmp_path / "a"
    for change in (
        lambda: path.write_text("longer"),
        lambda: os.utime(path, ns=(1, 1)),
        lambda: (tmp_path / "new").replace(path),
        lambda: path.chmod(0o600),
        path.unlink,
    ):
        path.write_text("x")
        path.chmod(0o644)
        (tmp_path / "new").write_text("x")
        watch = Watch()
        watch.see(str(path))
        change()
        assert watch.changed()


def test_a_file_that_comes_is_a_change(tmp_path):
    watch = Watch()
    watch.see(str(tmp_path / "a"))
    (tmp_path / "a").touch()
    assert watch.changed()


def test_a_file_in_a_directory_is_a_change(tmp_path):
    watch = Watch()
    watch.see(str(tmp_path))
    (tmp_path / "a").touch()
    assert watch.changed()


def test_what_cannot_be_looked_at_is_told_apart(tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    assert stamp(str(tmp_path / "loop")) == errno.ELOOP

    def fail(path):
        raise OSError

    monkeypatch.setattr(os, "stat", fail)
    assert stamp("x") == errno.EIO
