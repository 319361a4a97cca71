import errno
import os
import stat

import pytest

from qpsmtpd.errors import StorageError
from qpsmtpd.message import file as module
from qpsmtpd.message.file import NamedFile, Storage, UnnamedFile, write_all


@pytest.fixture
def storage(tmp_path):
    """Keep the spool in a directory of the test."""
    return Storage(str(tmp_path))


@pytest.fixture
def unnamed(storage):
    """An unnamed file, closed at the end."""
    file = UnnamedFile(storage)
    yield file
    file.close()


def refuse(monkeypatch, name, number, when=lambda *arguments: True):
    """Let a system call fail."""
    real = getattr(os, name)

    def call(*arguments, **options):
        if when(*arguments):
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(os, name, call)


def test_a_missing_spool_directory_is_made_with_its_mode(tmp_path):
    old = os.umask(0)
    try:
        place = tmp_path / "spool"
        assert Storage(str(place), spool_perms=0o750).place() == str(place)
        assert stat.S_IMODE(place.stat().st_mode) == 0o750
        place.chmod(0o711)
        Storage(str(place), spool_perms=0o750).place()
        assert stat.S_IMODE(place.stat().st_mode) == 0o711  # somebody else's is left alone
    finally:
        os.umask(old)


def test_another_process_may_make_the_spool_directory_first(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    assert Storage(str(tmp_path)).place() == str(tmp_path)


def test_without_a_spool_directory_the_one_for_temporary_files_is_used(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert Storage().place() == "/somewhere"
    monkeypatch.delenv("TMPDIR")
    assert Storage().place() == "/tmp"


def test_a_spool_directory_that_cannot_be_made(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        Storage(str(tmp_path / "no" / "where")).place()


@pytest.mark.parametrize("number", [0, errno.EISDIR, errno.EOPNOTSUPP])
def test_an_unnamed_file_is_in_no_directory(storage, tmp_path, monkeypatch, number):
    if number:  # a kernel or file system without them
        refuse(monkeypatch, "open", number, lambda path, *rest: path == str(tmp_path))
    file = UnnamedFile(storage)
    file.write(b"some", b"", b" octets")
    assert list(tmp_path.iterdir()) == []
    assert (file.size, file.read(0, 99), file.read(5, 8)) == (11, b"some octets", b"oct")
    assert stat.S_IMODE(os.fstat(file._descriptor).st_mode) == 0o600
    assert os.get_inheritable(file._descriptor) is False
    file.close()
    file.close()


def test_an_unnamed_file_that_cannot_be_made(storage, monkeypatch):
    refuse(monkeypatch, "open", errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        UnnamedFile(storage)


def test_a_file_nobody_keeps_is_closed(storage, descriptors):
    before = descriptors()
    file = UnnamedFile(storage)
    assert descriptors() > before or before == 0
    del file
    assert descriptors() == before


def test_write_all_goes_on_after_a_short_write(unnamed, monkeypatch):
    real = os.writev

    def short(descriptor, blocks):
        return real(descriptor, [memoryview(b"".join(blocks))[:4]])

    monkeypatch.setattr(os, "writev", short)
    write_all(unnamed._descriptor, b"abc", b"", b"d", b"efghijk", b"lmnop")
    assert os.pread(unnamed._descriptor, 99, 0) == b"abcdefghijklmnop"


def test_a_file_is_read_in_blocks(unnamed):
    content = os.urandom(300_000)
    unnamed.write(content)
    blocks = list(unnamed.blocks(1000))
    assert [len(block) for block in blocks] == [131072, 131072, 36856]
    assert b"".join(blocks) == content[1000:]
    assert list(unnamed.blocks(300_000)) == []


def test_a_file_that_cannot_be_read(unnamed, monkeypatch):
    unnamed.write(b"octets")
    refuse(monkeypatch, "pread", errno.EIO)
    with pytest.raises(StorageError, match="cannot read the message: Input/output error"):
        unnamed.read(0, 6)


@pytest.mark.parametrize("number", [0, errno.EINVAL, errno.ENOSYS])
def test_send_to(unnamed, tmp_path, monkeypatch, number):
    if number:
        refuse(monkeypatch, "sendfile", number)
    unnamed.write(b"x" * 10, b"y" * 200_000)
    with (tmp_path / "to").open("wb") as destination:
        unnamed.send_to(destination.fileno(), 5)
    assert (tmp_path / "to").read_bytes() == b"x" * 5 + b"y" * 200_000


def test_send_to_a_file_open_for_appending(unnamed, tmp_path):
    unnamed.write(b"second")
    (tmp_path / "to").write_bytes(b"first ")
    with (tmp_path / "to").open("ab") as destination:  # sendfile refuses that
        unnamed.send_to(destination.fileno(), 0)
    assert (tmp_path / "to").read_bytes() == b"first second"


def test_send_to_when_sendfile_gives_up(unnamed, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sendfile", lambda *arguments: 0)
    unnamed.write(b"octets")
    with (tmp_path / "to").open("wb") as destination:
        unnamed.send_to(destination.fileno(), 0)
    assert (tmp_path / "to").read_bytes() == b"octets"


def test_a_file_that_became_shorter(unnamed):
    unnamed.write(b"octets")
    os.ftruncate(unnamed._descriptor, 3)
    assert unnamed.read(0, 6) == b"oct"
    assert list(unnamed.blocks(0)) == [b"oct"]


def test_send_to_what_is_closed(unnamed, tmp_path):
    unnamed.write(b"octets")
    with (tmp_path / "to").open("wb") as destination:
        number = destination.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        unnamed.send_to(number, 0)


def test_a_name_for_an_unnamed_file_costs_no_copy(unnamed, tmp_path):
    unnamed.write(b"octets")
    assert unnamed.link(str(tmp_path / "name"))
    assert os.path.samestat((tmp_path / "name").stat(), os.fstat(unnamed._descriptor))
    assert not unnamed.link(str(tmp_path / "name"))  # it exists


def test_send_to_a_full_device(unnamed):
    unnamed.write(b"octets")
    with open("/dev/full", "wb") as device, pytest.raises(OSError, match="No space left"):  # noqa: PTH123 - no path of ours
        unnamed.send_to(device.fileno(), 0)


@pytest.mark.parametrize("number", [0, errno.EPERM])
def test_a_named_file_has_the_octets_and_its_own_directory(unnamed, tmp_path, monkeypatch, number):
    if number:
        refuse(monkeypatch, "link", number)
    unnamed.write(b"octets")
    named = NamedFile(Storage(str(tmp_path), spool_perms=0o750), unnamed)
    directory = tmp_path / os.path.basename(os.path.dirname(named.path))  # noqa: PTH119, PTH120 - names are all it wants
    with open(named.path, "rb") as file:  # noqa: PTH123 - a text
        assert file.read() == b"octets"
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    assert list(directory.iterdir()) == [directory / "message"]
    named.close()
    named.close()
    assert list(tmp_path.iterdir()) == []


def test_a_named_file_nobody_keeps_is_removed(storage, tmp_path):
    named = NamedFile(storage, b"octets")
    assert len(list(tmp_path.iterdir())) == 1
    del named
    assert list(tmp_path.iterdir()) == []


def test_a_named_file_that_is_gone_already(storage, tmp_path):
    named = NamedFile(storage, b"")
    os.unlink(named.path)  # noqa: PTH108 - a text
    named.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_named_file_that_cannot_be_filled(storage, tmp_path, monkeypatch):
    refuse(monkeypatch, "writev", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        NamedFile(storage, b"octets")
    assert list(tmp_path.iterdir()) == []


def test_names_cannot_be_guessed():
    names = {module._name() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name.rpartition("-")[2]) == 24 for name in names)
