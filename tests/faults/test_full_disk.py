"""F-2: no room for a message where it is received, or where it is to stay."""

import re
import subprocess
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from tests.faults.daemon import limited

HEAD = b"Subject: large\r\n\r\n"
LINE = b"0123456789" * 7 + b"\r\n"
LARGE = HEAD + LINE * 4000  #: more than there is room for
ROOM = 100_000  #: octets left on a full file system, enough for a small message

_CAP_SYS_ADMIN = 21


def may_mount():
    """Tell whether this process could make a small file system: few containers let it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^CapEff:\s+(\w+)$", status, re.MULTILINE)[1], 16) >> _CAP_SYS_ADMIN & 1


@contextmanager
def small_system(folder):
    """Mount a file system of a megabyte and a few files."""
    options = "size=1m,nr_inodes=50,mode=0777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder):
    """Have no room for a large message."""
    filler = folder / "filler"
    filler.write_bytes(bytes((1 << 20) - ROOM))
    yield
    filler.unlink()


@contextmanager
def full_of_files(folder):
    """Have no room for another file."""
    fillers = [folder / f"filler{number}" for number in range(100)]
    with suppress(OSError):
        for filler in fillers:
            filler.touch()
    yield
    for filler in fillers:
        filler.unlink(missing_ok=True)


@contextmanager
def read_only(folder):
    """Have nothing written at all, as after an error of the disk."""
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


@contextmanager
def forbidden(folder):
    """Have nothing created by the daemon's user."""
    made = [folder, *folder.glob("box/*")]
    modes = [each.stat().st_mode for each in made]
    for each in made:
        each.chmod(0o500)
    yield
    for each, mode in zip(made, modes, strict=True):
        each.chmod(mode)


#: place, fault, code of the reply to a large message
CASES = [
    ("spool", full, 452),
    ("spool", full_of_files, 452),
    ("spool", read_only, 452),
    ("mail", full, 452),
    ("mail", full_of_files, 452),
    ("mail", read_only, 451),
]
# There is nothing to install for a right that the kernel does not give.
CASES = [("spool", forbidden, 452), ("mail", forbidden, 451), *(CASES if may_mount() else [])]


@pytest.mark.parametrize(("where", "fault", "code"), CASES)
def test_a_place_that_takes_no_message(daemon, where, fault, code):
    running = daemon().serving()
    worker, folder = running.worker(), running.place / where
    with nullcontext() if fault is forbidden else small_system(folder):
        client = running.connect().greeted()
        assert client.deliver() == 250
        running.wait_for(1)
        with fault(folder):
            assert client.deliver(LARGE) == code
            assert client.text.startswith(f"{code} 4.3.".encode())
            assert client.ask(b"NOOP") == 250
            if where == "spool":
                assert client.deliver() == 250  # fits in memory
                running.wait_for(1)
            other = running.connect().greeted()
            assert other.deliver(LARGE) == code
        assert running.leftovers() == []
        assert other.deliver(LARGE) == 250
        assert client.deliver(LARGE) == 250
        for stored in running.wait_for(2):
            assert stored.endswith(LARGE.replace(b"\r\n", b"\n"))
        assert [client.ask(b"QUIT"), other.ask(b"QUIT")] == [221, 221]
        assert running.leftovers() == []
    assert running.worker() == worker


@pytest.mark.parametrize(("threshold", "met"), [(4096, "spool"), (10_000_000, "maildir")])
def test_a_message_larger_than_a_file_may_be(daemon, threshold, met):
    """The limit of the system ends the write, not the process, wherever it is met."""
    running = daemon(prefix=limited("FSIZE", 1 << 20), size_threshold=threshold).serving()
    worker = running.worker()
    client = running.connect().greeted()
    assert client.deliver(LARGE * 5) == 452, met
    assert client.text.startswith(b"452 4.3.1 ")
    assert client.ask(b"NOOP") == 250
    assert client.deliver(LARGE) == 250
    (stored,) = running.wait_for(1)
    assert stored.endswith(LARGE.replace(b"\r\n", b"\n"))
    assert running.leftovers() == []
    assert running.worker() == worker
    assert "File too large" in running.log
