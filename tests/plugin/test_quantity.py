import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.plugin.quantity import Duration, Size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("50m", 3000),
        ("3H", 10800),
        ("2d", 172800),
        ("1w", 604800),
        ("1h30m", 5400),
        (" 1h 30m ", 5400),
        ("1.5h", 5400),
    ],
)
def test_durations(text, seconds):
    assert Duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1y", "1h30", "nan", "inf", "1e3", "٣"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is no length of time; write seconds"):
        Duration(text)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1k", 1024),
        ("50M", 52428800),
        ("2GB", 1 << 31),
        ("1.5KiB", 1536),
    ],
)
def test_sizes(text, octets):
    assert Size(text) == octets


@pytest.mark.parametrize("text", ["", "M", "-1", "1x", "inf"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is no size; write octets"):
        Size(text)


def test_numbers_are_taken_as_they_are():
    assert (Duration(1.5), Size(15)) == (1.5, 15)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Duration("50m"), "50m"),
        (Duration("7d"), "1w"),
        (Duration("1.5"), "1.5s"),
        (Duration(0), "0s"),
        (Size("50M"), "50M"),
        (Size("1000"), "1000"),
        (Size("0"), "0"),
        (Size("1024G"), "1T"),
    ],
)
def test_the_shortest_spelling(value, words):
    assert value.words == words


@given(st.integers(0, 10**9))
def test_spellings_are_read_back(number):
    assert Duration(Duration(number).words) == pytest.approx(number, rel=1e-5)
    assert Size(Size(number).words) == number
