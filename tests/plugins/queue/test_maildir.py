import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from qpsmtpd.address import Address
from qpsmtpd.constants import DECLINED, DENYSOFT, OK
from qpsmtpd.errors import ConfigError, StorageError
from qpsmtpd.hooks import Kind

FULL = (DENYSOFT, "Mail system full. (#4.3.1)")
CONTENT = b"Message-Id: <1@example.net>\nSubject: caf\xe9\nodd line\n\nbody\r\x00\xff\n.\nend"


def files(root):
    """Everything below a directory that is no directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def box(tmp_path):
    return tmp_path / "box"


def test_the_file_is_the_message_behind_two_fields(load, begin, box):
    transaction = begin("a@example.org", "b@Example.org", content=CONTENT)
    answer = load(f"queue/maildir {box}").hook_queue(transaction)
    assert answer == (OK, "Queued! <1@example.net>")
    [name] = files(box)
    assert name.startswith("new/")
    assert (box / name).read_bytes() == (
        b"Return-Path: <sender@example.net>\n"
        b"Delivered-To: b@Example.org\n"
        b"Delivered-To: a@example.org\n" + CONTENT
    )
    assert transaction.notes["queued_to"] == [str(box / name)]


def test_edits_of_the_header_are_delivered_and_the_null_sender_is_written(load, begin, box):
    transaction = begin("a@example.org", sender="", content=b"Subject: x\n\nbody\n")
    transaction.message.header.add("Received", "from here\n by there", first=True)
    assert load(f"queue/maildir {box}").hook_queue(transaction) == (OK, "Queued!")
    [name] = files(box)
    assert (box / name).read_bytes() == (
        b"Return-Path: <>\nDelivered-To: a@example.org\n"
        b"Received: from here\n by there\nSubject: x\n\nbody\n"
    )


@pytest.mark.parametrize(
    "content", [b"", b"Subject: only\n", b"\nbody\n", b"x\n\n" + b"y" * 900_000]
)
def test_messages_of_all_shapes(load, begin, box, content):
    load(f"queue/maildir {box}").hook_queue(begin("a@example.org", content=content))
    [name] = files(box)
    head = b"Return-Path: <sender@example.net>\nDelivered-To: a@example.org\n"
    assert (box / name).read_bytes() == head + content


def test_names_are_unique_and_say_when_and_who(load, begin, box):
    plugin = load(f"queue/maildir {box}")
    before = int(time.time())
    for _ in range(20):
        assert plugin.hook_queue(begin("a@example.org"))[0] is OK
    names = [name.removeprefix("new/") for name in files(box)]
    assert len(names) == 20
    for name in names:
        seconds, unique, host = name.split(".", 2)
        assert before <= int(seconds) <= time.time()
        assert unique.startswith(f"P{os.getpid()}M")
        assert host == os.uname().nodename


def test_each_recipient_gets_a_copy_by_the_pattern(load, begin, box):
    plugin = load(f"queue/maildir {box} %d/%l/Maildir")
    transaction = begin("a@Example.org", "B+x@example.net")
    assert plugin.hook_queue(transaction)[0] is OK
    found = [name.rpartition("/")[0] for name in files(box)]
    assert found == ["example.net/B+x/Maildir/new", "example.org/a/Maildir/new"]
    assert len(transaction.notes["queued_to"]) == 2
    for name in files(box):
        recipient = "B+x@example.net" if "net" in name else "a@Example.org"
        head = f"Return-Path: <sender@example.net>\nDelivered-To: {recipient}\nSubject"
        assert (box / name).read_bytes().startswith(head.encode())


@pytest.mark.parametrize(
    ("pattern", "user", "host", "path"),
    [
        ("%u", "a.b-c_d+e,f=g", "Example.org", "a.b-c_d+e,f=g@example.org"),
        ("%d/%l", "a/b", "x.org", "x.org/a_b"),
        ("%d/%l", "..", "..", "_./_."),
        ("%l", ".", "x.org", "_"),
        ("%l", "", "x.org", "_"),
        ("%d/%l", "postmaster", "", "_/postmaster"),
        ("%l", ".hidden", "x.org", "_hidden"),
        (".%l", "..", "x.org", "._."),
        ("%l", "a b\\c:d", "x.org", "a_b_c_d"),
        ("%l", "%d", "x.org", "_d"),
        ("%l", "jos\u00e9/\u202e", "x.org", "jos\u00e9__"),
    ],
)
def test_an_address_names_a_directory_below_the_path(load, box, pattern, user, host, path):
    plugin = load(f"queue/maildir {box} {pattern}")
    assert plugin.maildir(Address(user, host)) == f"{box}/{path}"


@pytest.mark.parametrize(
    ("words", "directories", "mode"),
    [("", 0o700, 0o600), ("750", 0o750, 0o640), ("%l 0770", 0o770, 0o660), ("%l", 0o700, 0o600)],
)
def test_permissions_do_not_depend_on_the_umask(load, begin, box, words, directories, mode):
    umask = os.umask(0o077)
    try:
        load(f"queue/maildir {box} {words}").hook_queue(begin("a@example.org"))
    finally:
        os.umask(umask)
    for path in [box, *box.rglob("*")]:
        expected = directories if path.is_dir() else mode
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


@pytest.mark.parametrize(
    "words",
    ["", "/x %l sync maybe", "/x ../%l", "/x /%l", "/x %l//x", "/x name", "/x %l 9", "/x %l ./x"],
)
def test_a_wrong_line_is_refused(load, words):
    with pytest.raises(ConfigError):
        load(f"queue/maildir {words}")


def test_a_place_that_cannot_be_written_is_named_at_the_start(load, tmp_path, log):
    (tmp_path / "file").write_text("")
    load(f"queue/maildir {tmp_path}/box")
    assert log.lines == []
    load("queue/maildir /proc/self/box")
    assert log.texts(4) == ["cannot write to /proc/self/box: every message will be answered 451"]


def test_it_waits_so_it_says_so(load, box):
    [handler] = load(f"queue/maildir {box}").handlers()
    assert (handler.hook.name, handler.kind) == ("queue", Kind.BLOCKING)


def test_without_a_message_or_recipients_it_has_no_opinion(load, begin, box):
    plugin = load(f"queue/maildir {box}")
    assert plugin.hook_queue(begin()) is DECLINED
    transaction = begin("a@example.org")
    transaction.message = None
    assert plugin.hook_queue(transaction) is DECLINED
    assert files(box) == []


# ------------------------------------------------------------------------------ what is durable


@pytest.fixture
def calls(monkeypatch):
    """Record the system calls that matter, in order, with what they were applied to."""
    seen = []
    real_fsync, real_rename, real_mkdir = os.fsync, os.rename, os.mkdir

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(("fsync", str(path if path.is_dir() else path.parent)))
        real_fsync(descriptor)

    def rename(source, target):
        real_rename(source, target)
        seen.append(("rename", str(Path(target).parent)))

    def mkdir(path, mode):
        real_mkdir(path, mode)
        seen.append(("mkdir", path))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "mkdir", mkdir)
    return seen


def test_the_order_that_survives_a_power_failure(load, begin, box, calls):
    plugin = load(f"queue/maildir {box}")
    plugin.hook_queue(begin("a@example.org"))
    calls.clear()
    plugin.hook_queue(begin("a@example.org"))
    assert calls == [
        ("fsync", f"{box}/tmp"),
        ("rename", f"{box}/new"),
        ("fsync", f"{box}/new"),
    ]


def test_directories_made_on_the_way_are_synced_too(load, begin, box, calls, tmp_path):
    load(f"queue/maildir {box} %l").hook_queue(begin("a@example.org"))
    a = f"{box}/a"
    assert calls[:-3] == [
        *(("mkdir", str(box)), ("fsync", str(tmp_path))),
        *(("mkdir", a), ("fsync", str(box))),
        *(("mkdir", f"{a}/tmp"), ("fsync", a)),
        *(("mkdir", f"{a}/cur"), ("fsync", a)),
        *(("mkdir", f"{a}/new"), ("fsync", a)),
    ]


def test_all_copies_are_on_disk_before_the_first_one_is_visible(load, begin, box, calls):
    plugin = load(f"queue/maildir {box} %l")
    plugin.hook_queue(begin("a@x.org", "b@x.org"))
    calls.clear()
    plugin.hook_queue(begin("a@x.org", "b@x.org", "a@y.org"))
    assert [name for name, _ in calls] == ["fsync"] * 3 + ["rename"] * 3 + ["fsync"] * 2


def test_sync_no_is_what_it_takes_to_leave_syncing_out(load, begin, box, calls):
    assert load(f"queue/maildir {box} sync no").hook_queue(begin("a@x.org"))[0] is OK
    assert [name for name, _ in calls if name == "fsync"] == []


# ------------------------------------------------------------------------------ what may go wrong


def failing(monkeypatch, name, number, *, errno=5):
    """Make the given call of a function of os fail."""
    real = getattr(os, name)
    left = [number]

    def call(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno, os.strerror(errno))
        return real(*arguments, **named)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("words", ["", "%l"])
@pytest.mark.parametrize(
    ("name", "number", "step"),
    [
        ("open", 1, "open"),
        ("write", 1, "write"),
        ("fchmod", 1, "write"),
        ("fsync", 1, "fsync"),
        ("rename", 1, "rename"),
        ("fstat", 1, "write"),
    ],
)
def test_a_failure_leaves_nothing_and_lets_another_plugin_try(
    load, begin, box, monkeypatch, log, words, name, number, step
):
    plugin = load(f"queue/maildir {box} {words}")
    plugin.hook_queue(begin("a@example.org", "b@example.org"))
    before = files(box)
    transaction = begin("a@example.org", "b@example.org")
    failing(monkeypatch, name, number)
    assert plugin.hook_queue(transaction) == (DECLINED, f"queue error ({step})")
    monkeypatch.undo()
    assert files(box) == before
    assert "queued_to" not in transaction.notes
    assert len(log.texts(3)) == 1


@pytest.mark.parametrize(
    ("name", "number", "step"),
    [
        ("fsync", 2, "fsync"),
        ("rename", 2, "rename"),
        ("fsync", 3, "fsync of directory"),
        ("fsync", 4, "fsync of directory"),
    ],
)
def test_a_failure_for_one_recipient_takes_all_copies_back(
    load, begin, box, monkeypatch, name, number, step
):
    plugin = load(f"queue/maildir {box} %l")
    plugin.hook_queue(begin("a@example.org", "b@example.org"))
    before = files(box)
    failing(monkeypatch, name, number)
    answer = plugin.hook_queue(begin("a@example.org", "b@example.org"))
    monkeypatch.undo()
    assert answer == (DECLINED, f"queue error ({step})")
    assert files(box) == before


@pytest.mark.parametrize("errno", [28, 122, 27], ids=["ENOSPC", "EDQUOT", "EFBIG"])
@pytest.mark.parametrize("name", ["write", "fsync", "rename"])
def test_a_full_disk_is_said_to_be_full(load, begin, box, monkeypatch, name, errno):
    plugin = load(f"queue/maildir {box}")
    transaction = begin("a@example.org")
    failing(monkeypatch, name, 1, errno=errno)
    if name == "fsync":
        box.mkdir()
        for part in ("tmp", "cur", "new"):
            (box / part).mkdir()
    assert plugin.hook_queue(transaction) == FULL
    monkeypatch.undo()
    assert files(box) == []


def test_a_message_that_cannot_be_read_is_not_delivered(load, begin, box, monkeypatch):
    transaction = begin("a@example.org")
    plugin = load(f"queue/maildir {box}")

    def send_to(self, descriptor):
        os.write(descriptor, b"half a mess")
        raise StorageError("the spool is gone")

    monkeypatch.setattr(type(transaction.message), "send_to", send_to)
    assert plugin.hook_queue(transaction) == FULL
    assert files(box) == []


def test_a_message_that_came_out_short_is_not_delivered(load, begin, box, monkeypatch):
    transaction = begin("a@example.org")
    plugin = load(f"queue/maildir {box}")

    def send_to(self, descriptor):
        os.write(descriptor, b"half a mess")

    monkeypatch.setattr(type(transaction.message), "send_to", send_to)
    assert plugin.hook_queue(transaction) == (DECLINED, "queue error (write)")
    assert files(box) == []


def test_a_time_limit_in_the_middle_leaves_nothing(load, begin, box, monkeypatch):
    transaction = begin("a@example.org")
    plugin = load(f"queue/maildir {box}")

    def fsync(descriptor):
        raise TimeoutError("taken too long")  # what a signal handler raises

    class InterruptedHereError(Exception):
        pass

    def rename(source, target):
        raise InterruptedHereError

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(InterruptedHereError):
        plugin.hook_queue(transaction)
    monkeypatch.setattr(os, "fsync", fsync)
    assert plugin.hook_queue(begin("a@example.org"))[0] is DECLINED
    assert files(box) == []


def test_a_limit_of_the_system_on_file_size_is_met_for_real(box):
    """In a process of its own: writing fails in the middle, as it does on a full disk."""
    program = textwrap.dedent(
        """
        import resource, sys
        from qpsmtpd.address import Address
        from qpsmtpd.logger import NullLogger
        from qpsmtpd.message import Message
        from qpsmtpd.plugin.loader import Services, load_plugin
        from qpsmtpd.smtp.connection import Connection
        from qpsmtpd.smtp.transaction import Transaction

        plugin = load_plugin(f"queue/maildir {sys.argv[1]} %l", Services(None, NullLogger()))
        transaction = Transaction(Connection(), Address("s", "example.net"))
        transaction.recipients += [Address("a", "example.org"), Address("b", "example.org")]
        transaction.message = Message()
        transaction.message.append(b"Subject: x\\n\\n" + b"y" * 100_000)
        transaction.message.finish()
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        code, text = plugin.hook_queue(transaction)
        print(code.name, text)
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(box)], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("DENYSOFT Mail system full. (#4.3.1)\n", "")
    assert files(box) == []
