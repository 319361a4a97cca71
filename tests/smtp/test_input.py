import pytest

from qpsmtpd.smtp.input import Input, MalformedLine


def fed(*blocks):
    found = Input()
    for block in blocks:
        found.feed(block)
    return found


def line(found, limit=10):
    """Cut a line; one that is malformed comes in a list, with its text or None."""
    try:
        return found.line(limit)
    except MalformedLine as error:
        return [error.line]


def test_lines_are_cut_without_their_ends():
    found = fed(b"a\r\nb", b"c\r\n", b"\r\n", b"d")
    assert [found.line(10), found.line(10), found.line(10), found.line(10)] == [
        b"a",
        b"bc",
        b"",
        None,
    ]
    assert found.size == 1
    assert found.take() == b"d"
    assert not found.buffer


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a\n", b"a"),
        (b"\n", b""),
        (b"a\r\r\n", b"a"),
        (b"a\rb\r\n", b"a\rb"),
        (b"\ra\n", b"\ra"),
        (b"\r\r\n", b""),
    ],
)
def test_a_bare_cr_or_lf_makes_a_line_malformed(octets, text):
    found = fed(octets + b"b\r\n")
    assert line(found) == [text]
    assert line(found) == b"b"
    found = fed(b"c\r\n" + octets)
    assert [line(found), line(found), line(found)] == [b"c", [text], None]


def test_what_was_put_back_comes_first():
    found = fed(b"one\r\ntwo")
    assert found.line(10) == b"one"
    found.put_back(b"x")
    assert found.take() == b"xtwo"
    found.feed(b"y")
    assert found.take() == b"y"


def test_the_end_is_noted():
    found = fed(b"a")
    assert not found.ended
    found.feed(b"")
    assert found.ended
    assert found.buffer


def test_a_line_of_exactly_the_limit_is_taken():
    octets = b"x" * 8 + b"\r\n"
    assert fed(octets).line(10) == octets[:-2]
    found = fed(*[octets[n : n + 1] for n in range(9)])
    assert found.line(10) is None
    found.feed(b"\n")
    assert found.line(10) == octets[:-2]


def test_a_line_over_the_limit_is_dropped_to_its_end_at_any_split():
    octets = b"x" * 9 + b"\r\nnext\r\n"
    for size in (1, 2, 3, 5, 11, 30):
        found, lines = Input(), []
        for n in range(0, len(octets), size):
            found.feed(octets[n : n + size])
            while (one := line(found)) is not None:
                lines.append(one)
        assert lines == [[None], b"next"], size


def test_a_line_without_end_takes_no_memory():
    found = Input()
    block = b"x" * 65536
    for _ in range(1600):  # 100 MB
        found.feed(block)
        assert found.line(1000) is None
        assert len(found.buffer) <= len(block)
    found.feed(b"\r\nNOOP\r\n")
    assert [line(found), line(found)] == [[None], b"NOOP"]
