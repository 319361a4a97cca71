"""F-1: processes that are killed, at any moment."""

import hashlib
import os
import signal
import socket
import threading

from tests.faults.daemon import Client, Faulty, until

from qpsmtpd.deploy.pidfile import alive

LARGE = b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 1000


def test_a_worker_that_is_killed(daemon):
    """Who waits in the kernel is served by its successor; what it held is gone with it."""
    running = daemon().serving()
    assert running.deliver() == 250
    running.wait_for(1)
    worker = running.worker()
    sender = running.connect().greeted().open_message()
    sender.send(LARGE)  # is in the spool when the worker has answered somebody after it
    assert running.connect().greeted().ask(b"NOOP") == 250
    os.kill(worker, signal.SIGSTOP)
    queued = [running.connect() for _ in range(20)]
    os.kill(worker, signal.SIGKILL)
    assert sender.reply() == 0
    assert [client.greeted().deliver() for client in queued] == [250] * 20
    assert len(running.wait_for(20)) == 20
    assert running.worker() != worker
    assert running.leftovers() == []
    assert f"worker {worker} died (signal SIGKILL); another starts in 0 s" in running.log


def test_one_of_two_workers_that_is_killed(daemon):
    """The other serves at once, and soon there are two again."""
    running = daemon(workers=2).serving()
    first, second = running.workers()
    os.kill(first, signal.SIGKILL)
    assert running.deliver() == 250
    until(lambda: first not in running.workers() and len(running.workers()) == 2, "two workers")
    assert second in running.workers()
    assert running.deliver() == 250
    assert len(running.wait_for(2)) == 2


def test_an_arbiter_that_is_killed(daemon, free_port):
    """The workers notice, finish what is in hand and end; the port is free for the next."""
    address = f"127.0.0.1:{free_port}"
    running = daemon(workers=2, graceful_timeout=1, listen=(address,)).serving()
    sender = running.connect().greeted().open_message()
    sender.send(LARGE)
    below = [*running.children(), *running.workers()]
    assert len(below) == 3
    running.signal(signal.SIGKILL)
    running.ended()
    until(lambda: not_listening(free_port), "the port to be free")
    sender.send(b".\r\n")
    assert sender.reply() == 250
    sender.close()
    assert len(running.wait_for(1)) == 1
    until(lambda: not any(map(alive, below)), "the end of all processes")
    assert running.leftovers() == []
    assert "the arbiter is gone; sessions are finished" in running.log
    again = daemon(listen=(address,)).serving()
    assert again.deliver() == 250


def not_listening(port):
    """Tell whether nobody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Load(threading.Thread):
    """Sends numbered messages until it is told to stop; remembers which were accepted."""

    def __init__(self, port, name):
        super().__init__()
        self.port, self.label = port, name
        self.accepted, self.lost, self.sent = {}, set(), 0
        self.stop = threading.Event()

    def run(self):
        while not self.stop.is_set():
            client = None
            try:
                client = Client(("127.0.0.1", self.port))
                if client.reply() != 220:
                    continue
                client.ask(b"EHLO client.example.net")
                while not self.stop.is_set() and self.message(client):
                    pass
            except (OSError, AssertionError):  # killed meanwhile
                continue
            finally:
                if client is not None:
                    client.close()

    def message(self, client):
        """Send the next one; True when it was accepted."""
        self.sent += 1
        name = f"{self.label}-{self.sent}"
        body = (name.encode() + b" 0123456789\r\n") * (self.sent * 37 % 700 + 1)
        content = f"Message-Id: <{name}@example.net>\r\n\r\n".encode() + body
        digest = hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
        self.lost.add(digest)
        code = client.deliver(content)
        if code:
            self.lost.discard(digest)
        if code == 250:
            self.accepted[digest] = name
        return code == 250


def test_all_processes_killed_at_once_under_load_lose_no_message(place, free_port):
    """What was accepted is stored, whole; what was refused or cut off is stored whole or not."""
    running, loads = None, [Load(free_port, f"load{number}") for number in range(4)]
    for load in loads:
        load.start()
    try:
        for number in range(4):
            running = start(place, number, free_port)
            begun = [len(load.accepted) for load in loads]
            until(
                lambda begun=begun: all(
                    len(load.accepted) > before + 5
                    for load, before in zip(loads, begun, strict=True)
                ),
                "messages of all clients",
            )
            for pid in [running.process.pid, *running.children(), *running.workers()]:
                os.kill(pid, signal.SIGKILL)
            running.ended()
    finally:
        for load in loads:
            load.stop.set()
        for load in loads:
            load.join()
        if running is not None:
            running.close()
    stored = list((place / "mail" / "box" / "new").iterdir())
    digests = [hashlib.sha256(content_of(path.read_bytes())).hexdigest() for path in stored]
    accepted = {digest for load in loads for digest in load.accepted}
    lost = {digest for load in loads for digest in load.lost}
    assert len(accepted) > 4 * 4 * 5
    assert accepted - set(digests) == set()
    assert set(digests) - accepted <= lost  # stored, and the reply never came
    assert len(digests) == len(set(digests))
    assert list((place / "spool").iterdir()) == []


def start(place, number, port):
    """Start a daemon in the place of the one before it."""
    config = place / "config"
    if config.exists():
        config.rename(place / f"config{number}")
    return Faulty(place, {"workers": 2}, listen=(f"127.0.0.1:{port}",)).serving()


def content_of(stored):
    """Take off the fields that were added in front."""
    return stored[stored.index(b"Message-Id: ") :]
