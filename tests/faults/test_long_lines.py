"""F-7: a line, or a header, of a hundred megabytes."""

import time

import pytest
from tests.faults.daemon import PROMPT, memory

BLOCK = b"x" * 1_000_000
BLOCKS = 100
GROWTH = 20_000_000  #: octets the worker may grow by, whatever is sent


def send_much(running, client, block=BLOCK):
    """Send a hundred blocks; others are served meanwhile."""
    for number in range(BLOCKS):
        assert client.send(block)
        if number == BLOCKS // 2:
            started = time.monotonic()
            assert running.deliver() == 250
            assert time.monotonic() - started < PROMPT


def test_as_a_command(daemon):
    running = daemon().serving()
    assert running.deliver() == 250
    worker = running.worker()
    client, before = running.connect().greeted(), memory(worker)
    client.send(b"NOOP ")
    send_much(running, client)
    client.send(b"\r\n")
    assert client.reply() == 500
    assert client.text == b"500 5.5.6 Command line too long\r\n"
    assert memory(worker) - before < GROWTH
    assert client.deliver() == 250
    assert running.worker() == worker


@pytest.mark.parametrize(
    ("head", "block", "reply"),
    [
        (b"Subject: x\r\n\r\n", BLOCK, b"554 5.6.0 Message has a line that is too long\r\n"),
        (b"", BLOCK, b"552 5.3.4 Header section too big\r\n"),
        (b"Subject: ", BLOCK, b"552 5.3.4 Header section too big\r\n"),
        (b"Subject: x", b"\r\n " + BLOCK, b"552 5.3.4 Header section too big\r\n"),
        (b"", b"a: b\r\n" * 10_000, b"552 5.3.4 Header section too big\r\n"),
        (b"Subject: x\r\n\r\n.", BLOCK, b"554 5.6.0 Message has a line that is too long\r\n"),
    ],
    ids=["body", "no-header", "field", "folded", "a-million-fields", "dots"],
)
def test_inside_a_message(daemon, head, block, reply):
    running = daemon().serving()
    assert running.deliver() == 250
    worker = running.worker()
    client = running.connect().greeted().open_message()
    before = memory(worker)
    client.send(head)
    send_much(running, client, block)
    client.send(b"\r\n.\r\n")
    client.reply()
    assert client.text == reply
    assert memory(worker) - before < GROWTH
    assert client.deliver() == 250
    assert client.ask(b"QUIT") == 221
    assert running.worker() == worker
    assert len(running.wait_for(3)) == 3
    assert running.leftovers() == []
