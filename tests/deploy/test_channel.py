import socket

import pytest

from qpsmtpd.deploy.channel import Channel


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    found = Channel(ours), theirs
    yield found
    found[0].close()
    theirs.close()


def test_objects_arrive_whole_however_they_are_cut(ends):
    channel, theirs = ends
    for octet in b'{"do": "drain"}\n{"do"':
        assert channel.receive() in ([], [{"do": "drain"}])
        theirs.send(bytes([octet]))
    channel.receive()
    theirs.send(b': "stop"}\n')
    assert channel.receive() == [{"do": "stop"}]
    assert channel.receive() == []


def test_what_was_sent_before_the_end_is_read_first(ends):
    channel, theirs = ends
    theirs.send(b'{"event": "bye"}\n')
    theirs.close()
    assert channel.receive() == [{"event": "bye"}]
    assert channel.receive() is None
    assert not channel.send(do="stop")


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b"\xff\n"])
def test_what_is_no_object_ends_it(ends, line):
    channel, theirs = ends
    theirs.send(line)
    assert channel.receive() is None


def test_a_reader_that_stopped_reading_does_not_stop_the_writer(ends):
    channel, _ = ends
    assert not channel.send(text="x" * 10_000_000)
