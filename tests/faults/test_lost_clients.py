"""F-13: clients that go away, in any state and in any way."""

import socket

import pytest
from tests.faults.daemon import descriptors, until

ENVELOPE = b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.org>\r\n"
CONTENT = b"Subject: lost\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 1000
#: what was sent when the connection is lost
POINTS = [
    b"",
    b"MAIL FRO",
    ENVELOPE,
    ENVELOPE + b"DATA\r\n",
    ENVELOPE + b"DATA\r\n" + CONTENT,
    ENVELOPE + b"DATA\r\n" + CONTENT + b".",
    ENVELOPE + b"DATA\r\n" + CONTENT + b".\r",
    ENVELOPE + b"BDAT %d\r\n" % (len(CONTENT) + 1) + CONTENT,
    ENVELOPE + b"BDAT %d\r\n" % len(CONTENT) + CONTENT,
]


def reset(client):
    """Go as a machine does that knows nothing of the connection any more."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def close(client):
    """Go without QUIT."""
    client.close()


def half_close(client):
    """Send no more, and wait."""
    client.socket.shutdown(socket.SHUT_WR)
    while client.reply():
        pass


@pytest.mark.parametrize("how", [reset, close, half_close])
def test_a_message_that_is_not_complete_is_nobodys(daemon, how):
    running = daemon().serving()
    assert running.deliver() == 250
    running.wait_for(1)
    worker = running.worker()
    before = descriptors(worker)
    for octets in POINTS:
        client = running.connect().greeted()
        client.send(octets)
        how(client)
    until(lambda: descriptors(worker) <= before, "the end of their sockets")
    assert running.deliver() == 250
    assert len(running.wait_for(1)) == 1
    assert running.leftovers() == []
    assert running.worker() == worker
    assert "Traceback" not in running.log
