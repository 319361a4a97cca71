import random

import pytest
from tests.fuzz.session import fuzz, mutate, seeds, unquote


def test_every_seed_under_every_setting(corpus):
    assert corpus("smtp-fuzz-seeds").is_dir()
    found = seeds()
    assert len(found) > 80
    for number, seed in enumerate(found):
        for choice in (number % 18, (number + 7) % 18):
            fuzz(bytes([choice]) + seed)


@pytest.mark.parametrize("start", range(0, 2000, 250))
def test_mutations(start):
    corpus = seeds()
    for number in range(start, start + 250):
        data = mutate(random.Random(number), corpus)
        try:
            fuzz(data)
        except Exception as error:
            raise AssertionError(f"input {number}: {data!r}") from error


@pytest.mark.parametrize("data", [b"", b"\0", b"\x04", b"\x04PROXY ", b"\0DATA\r\n.\r\n"])
def test_small_inputs(data):
    fuzz(data)


def test_literals_of_go_are_read():
    assert unquote(r'"a\n\x00\u00e9\"\\\377"') == b'a\n\0\xc3\xa9"\\\xff'
