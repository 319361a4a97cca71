import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.message.reading import Reading
from qpsmtpd.message.spool import Spool, Storage


@pytest.fixture(params=[0, 1000], ids=["file", "memory"])
def spool(request, tmp_path):
    """Hold some content, in memory or in a file."""
    spool = Spool(Storage(str(tmp_path), request.param))
    spool.append(b"old header\nbody one\nbody two")
    yield spool
    spool.close()


def test_head_and_body_read_as_one(spool):
    with io.BufferedReader(Reading(b"new\n", spool, 11)) as file:
        assert file.read() == b"new\nbody one\nbody two"
        assert file.read() == b""
        assert file.seek(2) == 2
        assert file.read(6) == b"w\nbody"
        assert file.tell() == 8
        file.seek(-3, io.SEEK_END)
        assert file.read() == b"two"
        file.seek(0)
        assert list(file) == [b"new\n", b"body one\n", b"body two"]
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_positions(spool):
    reading = Reading(b"new\n", spool, 11)
    assert reading.seek(4) == 4
    assert reading.seek(2, io.SEEK_CUR) == 6
    assert reading.read(2) == b"dy"
    assert reading.tell() == 8
    with pytest.raises(ValueError, match="in front of"):
        reading.seek(-1)
    assert reading.seek(100) == 100  # behind the end, as in any file
    assert reading.read(1) == b""


def test_two_readers_do_not_disturb_each_other(spool):
    one, other = (io.BufferedReader(Reading(b"", spool, 0)) for _ in "12")
    assert one.readline() == b"old header\n"
    assert other.readline() == b"old header\n"
    assert one.readline() == b"body one\n"


def test_a_closed_message_cannot_be_read(spool):
    reading = Reading(b"", spool, 0)
    spool.close()
    with pytest.raises(ValueError, match="the message was closed"):
        reading.read(1)


@given(st.binary(max_size=30), st.binary(max_size=30), st.data())
def test_it_behaves_like_bytes(head, body, data):
    spool = Spool(Storage())
    start = data.draw(st.integers(0, len(body)))
    spool.append(body)
    file, model = (
        io.BufferedReader(Reading(head, spool, start), 8),
        io.BytesIO(head + body[start:]),
    )
    for _ in range(6):
        if data.draw(st.booleans()):
            place = data.draw(st.integers(0, 70))
            assert file.seek(place) == model.seek(place)
        size = data.draw(st.integers(0, 40))
        assert file.read(size) == model.read(size)
        assert file.readline() == model.readline()
        assert file.tell() == model.tell()
