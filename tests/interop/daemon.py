"""The daemon as real clients meet it: a process of its own, listening on loopback.

Everything about how the daemon is started stands in ``start_daemon``.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: seconds the daemon may take to greet, to end, and a message to be where it belongs
PATIENCE = 15.0
#: whom the daemon becomes when the tests are run by root
NOBODY = "nobody"
DOMAIN = "example.org"

#: fields that stand in front of a message in a maildir
ADDED = {b"return-path", b"delivered-to", b"received", b"authentication-results"}


class Daemon:
    """A running daemon and the maildir its mail goes to."""

    def __init__(self, port: int, maildir: Path) -> None:
        self.port = port
        self.maildir = maildir
        self._seen: set[str] = set()

    def wait_for(self, count: int = 1) -> list[bytes]:
        """Return the messages that came since the last call, when there are *count* of them."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self._new()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(found) == count
        self._seen.update(found)
        return [(self.maildir / "new" / name).read_bytes() for name in sorted(found)]

    def forget(self) -> None:
        """Let the next ``wait_for`` begin here."""
        self._seen.update(self._new())

    def _new(self) -> set[str]:
        folder = self.maildir / "new"
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        return names - self._seen


def split(stored: bytes, sent: bytes) -> dict[bytes, list[bytes]]:
    """Take off what was added in front of a message, and return the fields of that.

    Fails unless the rest is, octet for octet, what was sent.
    """
    assert stored.endswith(sent), f"not what was sent: {stored[-len(sent) - 200 :][:600]!r}"
    fields: dict[bytes, list[bytes]] = {}
    unfolded = stored[: len(stored) - len(sent)].replace(b"\n\t", b" ").replace(b"\n ", b" ")
    for line in unfolded.split(b"\n")[:-1]:
        name, colon, value = line.partition(b":")
        assert colon, f"no field: {line!r}"
        fields.setdefault(name.lower(), []).append(value.strip())
    assert fields.keys() <= ADDED
    return fields


def start_daemon(config_dir: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start the daemon on the control files of a directory and wait until it greets."""
    command = [sys.executable, "-m", "qpsmtpd", "serve", "--config-dir", str(config_dir)]
    command += ["--listen-address", f"127.0.0.1:{port}"]
    if os.geteuid() == 0:
        command += ["--user", NOBODY]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    deadline = time.monotonic() + PATIENCE
    while not greets(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise AssertionError(f"the daemon did not greet:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)
    return process


def greets(port: int) -> bool:
    """Tell whether somebody on a port says 220."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.settimeout(PATIENCE)
            greeting = client.recv(4)
            client.sendall(b"QUIT\r\n")
    except OSError:
        return False
    return greeting == b"220 "


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: gracefully, or else at once."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("the process did not end on SIGTERM") from None


@contextmanager
def workplace() -> Iterator[Path]:
    """Make a directory that other users can reach, as pytest's own are not."""
    place = Path(tempfile.mkdtemp(prefix="qpsmtpd-interop-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def running(port: int) -> Iterator[Daemon]:
    """Run a daemon that takes mail for example.org and puts it into a maildir."""
    with workplace() as place:
        maildir, config, log = place / "mail" / "box", place / "config", place / "log"
        config.mkdir()
        maildir.parent.mkdir()
        if os.geteuid() == 0:
            account = pwd.getpwnam(NOBODY)
            os.chown(maildir.parent, account.pw_uid, account.pw_gid)
        (config / "me").write_text(f"mx.{DOMAIN}\n")
        (config / "rcpthosts").write_text(f"{DOMAIN}\n")
        (config / "plugins").write_text(f"rcpt_ok\nqueue/maildir {maildir}\n")
        process = start_daemon(config, port, log)
        try:
            yield Daemon(port, maildir)
        finally:
            stop(process)
