"""bench.server starts, waits for and ends what it is given."""

import socket
import sys
from pathlib import Path

import pytest
from bench.server import Failed, Launch, Place, Server, free_port

GREETS = """
import socket, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    client.sendall(b"220 hello\\r\\n")
    client.recv(512)
    client.close()
"""


def server(tmp_path, script):
    place = Place(tmp_path / "place", free_port())
    place.directory.mkdir()
    return Server("toy", Launch((sys.executable, "-c", script, str(place.port))), place)


def running(pid):
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return line.rpartition(")")[2].split()[0] != "Z"


def test_a_server_and_its_children_end_and_leave_nothing(tmp_path):
    with server(tmp_path, GREETS) as toy:
        pids = [toy.pid, int((toy.directory / "child").read_text())]
        assert all(map(running, pids))
        assert toy.memory().pss > 0
    assert not any(map(running, pids))
    assert list(tmp_path.iterdir()) == []


def test_last_words_of_a_server_that_does_not_start_are_passed_on(tmp_path):
    toy = server(tmp_path, "raise SystemExit('no configuration')")
    with pytest.raises(Failed, match=r"toy does not greet.*no configuration"):
        toy.start()
    assert toy.port
    with pytest.raises(Failed, match="not running"):
        _ = toy.pid


def test_stopping_twice_does_no_harm(tmp_path):
    toy = server(tmp_path, GREETS)
    toy.start()
    toy.stop()
    toy.stop()


def test_a_free_port_can_be_listened_on():
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        assert listener.getsockname()[1] > 1023
