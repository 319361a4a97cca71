"""Clients that send faster than they can be served, and read every reply."""

import threading
import time
from contextlib import ExitStack, suppress

import pytest
from tests.faults.daemon import PROMPT, processor_time, until


class Flood:
    """Sends a line over and over, and reads what comes, until it is stopped."""

    def __init__(self, client, line):
        self.socket = client.socket
        self.block = (line + b"\r\n") * 5000
        self.replies = 0
        self.threads = [threading.Thread(target=work) for work in (self.send, self.read)]

    def send(self):
        with suppress(OSError):
            while True:
                self.socket.sendall(self.block)

    def read(self):
        with suppress(OSError):
            while octets := self.socket.recv(1 << 20):
                self.replies += octets.count(b"\n")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *reason):
        with suppress(OSError):
            self.socket.shutdown(2)
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("command", [b"BDAT 0", b"RCPT TO:<user@example.org>", b"NOOP"])
def test_a_client_that_pipelines_without_end_stops_nobody(daemon, command):
    """None of these is limited in number: a loop that served them all would serve nobody else."""
    running = daemon(max_junk=0).serving()
    client = running.connect().greeted()
    assert client.ask(b"MAIL FROM:<>") == 250
    assert client.ask(b"RCPT TO:<user@example.org>") == 250
    with Flood(client, command) as flood:
        until(lambda: flood.replies > 10_000, "many replies")
        started = time.monotonic()
        assert running.deliver() == 250
        assert time.monotonic() - started < PROMPT


def test_messages_without_end_stop_nobody(daemon):
    """Lines of nothing are the most work for their octets."""
    running = daemon().serving()
    began = processor_time(running.worker())
    with ExitStack() as stack:
        for _ in range(5):
            client = running.connect().greeted().open_message()
            client.send(b"Subject: endless\r\n\r\n")
            stack.enter_context(Flood(client, b""))
        until(lambda: processor_time(running.worker()) > began + 0.2, "much work")
        started = time.monotonic()
        assert running.deliver() == 250
        assert time.monotonic() - started < PROMPT
