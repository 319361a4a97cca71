import random
import re

import pytest

from qpsmtpd.smtp import data
from qpsmtpd.smtp.data import ACCEPT, NORMALIZE, REJECT, ChunkFilter, DataScanner

POLICIES = (REJECT, NORMALIZE, ACCEPT)


def reference(stream, policy, limit=0):
    """Read DATA line by line: content, what follows, bare, overlong."""
    text = b"\r\n" + stream
    end = text.find(b"\r\n.\r\n")
    if end < 0:
        return None
    found, bare, overlong = b"", False, False
    for line in text[2 : end + 2].split(b"\r\n")[:-1]:
        kept = line[line[:1] == b"." :]
        bare |= b"\r" in kept or b"\n" in kept
        overlong |= 0 < limit < len(kept)
        found += (re.sub(rb"[\r\n]", b"\n", kept) if policy == NORMALIZE else kept) + b"\n"
    return found, text[end + 5 :], bare, overlong


def scanned(blocks, policy, limit=0):
    scanner = DataScanner(policy, limit)
    found = b""
    for number, block in enumerate(blocks):
        piece, rest = scanner.scan(block)
        found += piece
        if rest is not None:
            rest += b"".join(blocks[number + 1 :])
            return found, rest, scanner.bare, scanner.overlong
    return None


def cut(octets):
    blocks = []
    size = random.choice((1, 2, 3, 7, 40))
    while octets:
        count = random.randint(1, size)
        blocks.append(octets[:count])
        octets = octets[count:]
    return blocks


def streams(count, alphabet):
    for _ in range(count):
        yield b"".join(random.choices(alphabet, k=random.randint(0, 30)))


@pytest.mark.parametrize("held", [5, 6, 8, 65536])
@pytest.mark.parametrize("policy", POLICIES)
def test_any_split_gives_what_reading_line_by_line_gives(monkeypatch, policy, held):
    monkeypatch.setattr(data, "_MAX_HELD", held)
    alphabet = [b"\r\n", b"\r\n.", b".", b"\r", b"\n", b"ab", b"c", b"\0", b"\r\n.\r\n"]
    for stream in streams(300, alphabet):
        octets = stream + b"\r\n.\r\nQUIT\r\n"
        expected = reference(octets, policy)
        for blocks in ([octets], cut(octets), [octets[n : n + 1] for n in range(len(octets))]):
            found = scanned(blocks, policy)
            assert found[:2] == expected[:2], blocks
            assert found[2] == expected[2], blocks


@pytest.mark.parametrize("held", [5, 6, 8, 65536])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_long_line_is_noted_at_any_split(monkeypatch, policy, held):
    monkeypatch.setattr(data, "_MAX_HELD", held)
    for stream in streams(200, [b"\r\n", b"\r\n.", b".", b"a", b"bcd", b"ef"]):
        octets = stream + b"\r\n.\r\n"
        for limit in (1, 4, 10):
            expected = reference(octets, policy, limit)
            for blocks in ([octets], cut(octets)):
                assert scanned(blocks, policy, limit) == expected, (limit, blocks)


@pytest.mark.parametrize("policy", [NORMALIZE, ACCEPT])
def test_a_bare_line_end_counts_the_same_at_any_split(monkeypatch, policy):
    monkeypatch.setattr(data, "_MAX_HELD", 8)
    octets = b"aaa\rbbbbbbbbb\r\n.\r\n"
    whole = scanned([octets], policy, 10)
    assert scanned([octets[n : n + 1] for n in range(len(octets))], policy, 10) == whole


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_stays_bounded_in_a_line_without_end(policy):
    scanner = DataScanner(policy, 1000)
    block = b"x" * 65536
    for _ in range(100):
        assert scanner.scan(block)[1] is None
        assert len(scanner._held) <= 2 * 65536
    assert scanner.overlong


def test_without_a_limit_no_line_is_too_long():
    assert not scanned([b"x" * 200_000, b"\r\n.\r\n"], REJECT)[3]


def filtered(blocks, policy):
    chunks = ChunkFilter(policy)
    found = b"".join(chunks.convert(block) for block in blocks)
    return found + chunks.convert(b"", last=True), chunks.bare


@pytest.mark.parametrize("policy", POLICIES)
def test_chunks_are_converted_alike_at_any_split(policy):
    for octets in streams(300, [b"\r\n", b".", b"\r", b"\n", b"ab", b"\0"]):
        bare = b"\r" in octets.replace(b"\r\n", b"") or b"\n" in octets.replace(b"\r\n", b"")
        kept = octets.replace(b"\r\n", b"\n")
        expected = kept.replace(b"\r", b"\n") if policy == NORMALIZE else kept
        assert filtered([octets], policy) == (expected, bare)
        assert filtered(cut(octets), policy) == (expected, bare)
