import os
import socket

import pytest

from qpsmtpd.deploy.notify import Notifier


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.settimeout(5)
        yield found


@pytest.mark.parametrize("abstract", [False, True])
def test_states_arrive(systemd, tmp_path, abstract):
    name = f"qpsmtpd-test-{os.getpid()}"
    systemd.bind("\0" + name if abstract else str(tmp_path / "notify"))
    told = Notifier({"NOTIFY_SOCKET": "@" + name if abstract else str(tmp_path / "notify")})
    told.ready("all is well")
    assert systemd.recv(1000) == b"READY=1\nSTATUS=all is well\nMAINPID=%d" % os.getpid()
    told.reloading()
    state, _, moment = systemd.recv(1000).partition(b"\nMONOTONIC_USEC=")
    assert state == b"RELOADING=1"
    assert moment.isdigit()
    told.stopping()
    assert systemd.recv(1000) == b"STOPPING=1"


def test_nobody_to_tell(tmp_path):
    Notifier({}).ready("")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("")


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_are_sent_twice_as_often_as_asked(environ, interval):
    assert Notifier({"NOTIFY_SOCKET": "/run/notify", **environ}).watchdog == interval
