import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.message.transfer import stuff, stuff_verbatim, with_newline


def every_cut(content):
    """Cut content in every way there is."""
    places = range(1, len(content))
    for count in range(len(content)):
        for chosen in itertools.combinations(places, count):
            edges = (0, *chosen, len(content))
            yield [content[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", b""),
        (b"a\n", b"a\n"),
        (b".", b"..\n"),
        (b".\n.\n", b"..\n..\n"),
        (b"..a\n\n.b", b"...a\n\n..b\n"),
        (b"a.\n.b.", b"a.\n..b.\n"),
        (b"\n.", b"\n..\n"),
        (b"a\r.b\n", b"a\r.b\n"),
    ],
)
def test_stuff(content, wanted):
    for blocks in every_cut(content):
        assert b"".join(stuff(blocks)) == wanted
        assert b"".join(stuff([b"", *blocks, b""])) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", b""),
        (b"a\r\n", b"a\r\n"),
        (b".", b"..\r\n"),
        (b".\r\n.\r\n", b"..\r\n..\r\n"),
        (b"\r\n.b", b"\r\n..b\r\n"),
        (b"a\n.b\r.c", b"a\n.b\r.c\r\n"),
        (b"\r\r\n..", b"\r\r\n...\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"\n", b"\n\r\n"),
    ],
)
def test_stuff_verbatim(content, wanted):
    for blocks in every_cut(content):
        assert b"".join(stuff_verbatim(blocks)) == wanted
        assert b"".join(stuff_verbatim([b"", *blocks, b""])) == wanted


def test_with_newline():
    assert list(with_newline([b"a\nb", b"\n", b""], b"\r\n")) == [b"a\r\nb", b"\r\n", b""]


def unstuffed(content):
    """Do what a receiver does (RFC 5321 §4.5.2)."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@given(st.lists(st.text("a.\r\n").map(str.encode)))
def test_a_receiver_gets_what_was_sent(blocks):
    content = b"".join(blocks)
    sent = b"".join(stuff_verbatim(blocks))
    assert b"\r\n.\r\n" not in b"\r\n" + sent
    whole = not content or content.endswith(b"\r\n")
    assert unstuffed(sent) == content + (b"" if whole else b"\r\n")

    text = [block.replace(b"\r", b"") for block in blocks]
    sent = b"".join(with_newline(stuff(text), b"\r\n"))
    assert b"\r\n.\r\n" not in b"\r\n" + sent
    content = b"".join(text)
    whole = not content or content.endswith(b"\n")
    assert unstuffed(sent).replace(b"\r\n", b"\n") == content + (b"" if whole else b"\n")
