"""``qpsmtpd run`` and ``qpsmtpd serve`` as a user starts them."""

import os
import signal
import smtplib
import socket
import subprocess
import sys

import pytest
from tests.interop.daemon import PATIENCE, Daemon, greets, workplace

MESSAGE = "Subject: hello\r\n\r\nFirst mail.\r\n"


@pytest.fixture
def place():
    """Return a directory that other users can reach."""
    with workplace() as place:
        yield place


def command(*words):
    return [sys.executable, "-m", "qpsmtpd", *words]


@pytest.fixture
def fails(place):
    """Run a command that does not start: exit code, and what it says on standard error."""

    def run(*words):
        done = subprocess.run(
            command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=place,
            env={**os.environ, "QMAIL": str(place)},
        )
        return done.returncode, done.stderr.replace(f"{place}/", "").splitlines()

    return run


def test_a_first_message(place, free_port):
    log = place / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("run", "--port", str(free_port)), stdout=output, stderr=output, cwd=place
        )
    try:
        while not greets(free_port):
            assert process.poll() is None, log.read_text()
        with smtplib.SMTP("127.0.0.1", free_port, timeout=PATIENCE) as client:
            client.sendmail("me@localhost", ["you@example.org"], MESSAGE)
        (stored,) = Daemon(free_port, place / "run" / "Maildir").wait_for(1)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert stored.endswith(b"\nSubject: hello\n\nFirst mail.\n")
    said = log.read_text()
    assert f"qpsmtpd listens on 127.0.0.1, port {free_port}.\n" in said
    assert "puts it into ./run/Maildir;" in said
    assert "to <you@example.org>" in said
    assert process.returncode == 0


def test_a_busy_port(fails):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        code, (line,) = fails("run", "--port", str(port))
    assert code == 4
    assert line.startswith(
        f"qpsmtpd run: port {port} of 127.0.0.1 cannot be used: Address already"
    )
    assert "take another port: qpsmtpd run --port " in line


def test_no_port(fails):
    complaint = "qpsmtpd run: --port 99999: ports are 1 to 65535, as 2525"
    assert fails("run", "--port", "99999") == (4, [complaint])


def test_a_directory_that_cannot_be_made(fails):
    words = "No such file or directory; name another directory with --directory"
    complaint = f"qpsmtpd run: /nowhere/at: {words}"
    assert fails("run", "--directory", "/nowhere/at/all") == (4, [complaint])


def test_every_mistake_keeps_the_daemon_from_serving(fails, place):
    (place / "c").mkdir()
    (place / "c" / "databytes").write_text("lots\n")
    (place / "c" / "max_line").write_text("5\n")
    user = ["--user", "nobody"] if os.geteuid() == 0 else []
    code, lines = fails("serve", "--config", "c", "-l", "127.0.0.1", "-p", "0", *user)
    assert code == 4
    assert [line.partition(" ")[2] for line in lines] == [
        "c/databytes:1: databytes: 'lots' is no size; write octets, or 500K, 50M, 2G",
        "c/max_line:1: max_line: 5 is too small; 512 is the least",
        "cannot start: the configuration has 2 mistakes, named above",
    ]
