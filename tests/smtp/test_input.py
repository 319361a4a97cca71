from qpsmtpd.smtp.input import Input


def fed(*blocks):
    found = Input()
    for block in blocks:
        found.feed(block)
    return found


def test_lines_are_cut_with_their_ends():
    found = fed(b"a\r\nb", b"c\n", b"d")
    assert [found.line(10), found.line(10), found.line(10)] == [b"a\r\n", b"bc\n", None]
    assert found.pending
    assert found.take() == b"d"
    assert not found.pending


def test_what_was_put_back_comes_first():
    found = fed(b"one\r\ntwo")
    assert found.line(10) == b"one\r\n"
    found.put_back(b"x")
    assert found.take() == b"xtwo"
    found.feed(b"y")
    assert found.take() == b"y"


def test_the_end_is_noted():
    found = fed(b"a")
    assert not found.ended
    found.feed(b"")
    assert found.ended
    assert found.pending


def test_a_line_of_exactly_the_limit_is_taken():
    octets = b"x" * 8 + b"\r\n"
    assert fed(octets).line(10) == octets
    found = fed(*[octets[n : n + 1] for n in range(9)])
    assert found.line(10) is None
    found.feed(b"\n")
    assert found.line(10) == octets


def test_a_line_over_the_limit_is_dropped_to_its_end_at_any_split():
    octets = b"x" * 9 + b"\r\nnext\r\n"
    for size in (1, 2, 3, 5, 11, 30):
        found, lines = Input(), []
        for n in range(0, len(octets), size):
            found.feed(octets[n : n + size])
            while (line := found.line(10)) is not None:
                lines.append(line)
        assert lines == [b"", b"next\r\n"], size


def test_a_line_without_end_takes_no_memory():
    found = Input()
    block = b"x" * 65536
    for _ in range(1600):  # 100 MB
        found.feed(block)
        assert found.line(1000) is None
        assert len(found._buffer) <= len(block)
    found.feed(b"\r\nNOOP\r\n")
    assert [found.line(1000), found.line(1000)] == [b"", b"NOOP\r\n"]
