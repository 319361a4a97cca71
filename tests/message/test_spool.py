import os
import signal
import subprocess
import sys

import pytest

from qpsmtpd.errors import StorageError
from qpsmtpd.message import file
from qpsmtpd.message.spool import Spool, Storage


@pytest.fixture
def spool_of(tmp_path):
    """Make a spool with a threshold."""
    made = []

    def spool_of(threshold):
        spool = Spool(Storage(str(tmp_path / "spool"), threshold))
        made.append(spool)
        return spool

    yield spool_of
    for spool in made:
        spool.close()


@pytest.mark.parametrize("threshold", [0, 1, 100, 1 << 20])
def test_what_goes_in_comes_out(spool_of, threshold):
    spool = spool_of(threshold)
    content = os.urandom(5000)
    for start in range(0, 5000, 7):
        spool.append(content[start : start + 7])
    assert spool.size == 5000
    assert spool.spooled == (threshold <= 5000)
    assert spool.read(0, 5000) == content
    assert spool.read(4990, 6000) == content[4990:]
    assert spool.read(10, 13) == content[10:13]
    assert b"".join(spool.blocks(0)) == content
    assert b"".join(spool.blocks(4321)) == content[4321:]
    assert list(spool.blocks(5000)) == []


def test_the_threshold_is_the_first_size_that_goes_to_a_file(spool_of):
    spool = spool_of(10)
    spool.append(b"123456789")
    assert not spool.spooled
    spool.append(b"0")
    assert spool.spooled
    assert spool.read(0, 10) == b"1234567890"


def test_an_empty_spool_needs_no_file(spool_of):
    spool = spool_of(0)
    spool.append(b"")
    spool.seal()
    spool.append(b"")
    assert not spool.spooled
    assert (spool.read(0, 10), list(spool.blocks(0))) == (b"", [])


def test_tiny_blocks_do_not_stay_objects(spool_of):
    spool = spool_of(1 << 20)
    for octet in range(20_000):
        spool.append(b"%c" % (octet % 256))
    assert len(spool._blocks) < 20_000 / 60 + 64
    content = bytes(octet % 256 for octet in range(20_000))
    assert spool.read(0, 20_000) == content
    spool.append(b"!")
    for _ in range(200):
        spool.append(b"?")
    assert spool.read(19_999, 20_300) == content[-1:] + b"!" + b"?" * 200


def test_readers_may_come_between_writers(spool_of):
    for threshold in (0, 1 << 20):
        spool = spool_of(threshold)
        spool.append(b"one")
        early = spool.blocks(0)
        assert next(early) == b"one"
        spool.append(b"two")
        assert spool.read(0, 9) == b"onetwo"


def test_a_sealed_spool_takes_no_more(spool_of):
    for threshold in (0, 100):
        spool = spool_of(threshold)
        spool.append(b"one")
        spool.seal()
        with pytest.raises(ValueError, match="no more content"):
            spool.append(b"two")
        assert spool.read(0, 9) == b"one"


@pytest.mark.parametrize("threshold", [0, 100])
def test_a_closed_spool_is_empty_and_takes_no_more(spool_of, threshold):
    spool = spool_of(threshold)
    spool.append(b"one")
    spool.close()
    spool.close()
    for use in (
        lambda: spool.read(0, 1),
        lambda: spool.blocks(0),
        lambda: spool.send_to(1, 0),
        spool.path,
    ):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="no more content"):
        spool.append(b"two")


@pytest.mark.parametrize("threshold", [0, 100])
def test_send_to(spool_of, tmp_path, threshold):
    spool = spool_of(threshold)
    spool.append(b"header body")
    with (tmp_path / "to").open("wb") as destination:
        spool.send_to(destination.fileno(), 7, b"edited ")
        spool.send_to(destination.fileno(), 0)
    assert (tmp_path / "to").read_bytes() == b"edited bodyheader body"


@pytest.mark.parametrize("threshold", [0, 100])
def test_path(spool_of, tmp_path, threshold):
    spool = spool_of(threshold)
    spool.append(b"octets")
    path = spool.path()
    assert spool.path() == path
    with open(path, "rb") as stored:  # noqa: PTH123 - a text
        assert stored.read() == b"octets"
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_path_that_cannot_be_made(tmp_path):
    spool = Spool(Storage(str(tmp_path / "no" / "where")))
    with pytest.raises(StorageError, match="cannot store the message: No such file"):
        spool.path()


def test_a_spool_directory_that_cannot_be_made(tmp_path, descriptors):
    before = descriptors()
    spool = Spool(Storage(str(tmp_path / "no" / "where"), 4))
    spool.append(b"one")
    with pytest.raises(StorageError, match="cannot store the message: No such file"):
        spool.append(b"two")
    with pytest.raises(ValueError, match="no more content"):
        spool.append(b"three")
    assert descriptors() == before


# -------------------------------------------------------------------------------------- disk full


def fill(spool, size):
    """Append more than there is room for."""
    for _ in range(1_000_000 // size):
        spool.append(b"x" * size)


@pytest.mark.parametrize("threshold", [0, 1000, 300_000])
@pytest.mark.parametrize("size", [5000, 131072])
def test_a_full_disk(full_disk, descriptors, threshold, size):
    before = descriptors()
    spool = Spool(Storage(str(full_disk), threshold))
    with pytest.raises(StorageError, match="cannot store the message: ") as caught:
        fill(spool, size)
    assert "No space left" in str(caught.value) or "File too large" in str(caught.value)
    assert (caught.value.code, caught.value.status) == (452, "4.3.1")
    assert list(full_disk.iterdir()) == []
    assert descriptors() == before
    with pytest.raises(ValueError, match="no more content"):
        spool.append(b"x")
    spool.close()
    later = Spool(Storage(str(full_disk), 0))  # there is room again at once
    later.append(b"x" * 200_000)
    assert later.read(199_999, 200_001) == b"x"
    later.close()


@pytest.mark.pure
def test_a_device_without_room(tmp_path, monkeypatch, descriptors):
    before = descriptors()
    monkeypatch.setattr(file, "_open_unnamed", lambda place: os.open("/dev/full", os.O_RDWR))
    spool = Spool(Storage(str(tmp_path), 0))
    with pytest.raises(StorageError, match="cannot store the message: No space left on device"):
        spool.append(b"x")
    assert descriptors() == before


def test_a_full_disk_and_a_path(full_disk):
    spool = Spool(Storage(str(full_disk), 1 << 20))
    spool.append(b"x" * 300_000)
    with pytest.raises(StorageError, match="cannot store the message: "):
        spool.path()
    assert list(full_disk.iterdir()) == []
    assert spool.read(299_999, 300_001) == b"x"
    spool.close()


# -------------------------------------------------------------------------------------- processes


def test_nothing_is_left_when_the_process_is_killed(tmp_path):
    program = (
        "import sys\n"
        "from qpsmtpd.message import Message, Storage\n"
        "message = Message(Storage(sys.argv[1], 0))\n"
        "message.append(b'x' * 100000)\n"
        "print(message.spooled, flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "True\n"
        child.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
