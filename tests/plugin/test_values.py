import re
from enum import Enum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest

from qpsmtpd.constants import DENYSOFT, LOGINFO, LogLevel, Result
from qpsmtpd.plugin.quantity import Duration, Size
from qpsmtpd.plugin.values import is_yes_or_no, reader, spelled


class Colour(Enum):
    RED = 1
    GREEN = 2


@pytest.mark.parametrize(
    ("annotation", "word", "value"),
    [
        (str, "word", "word"),
        (Any, "word", "word"),
        (int, "-12", -12),
        (float, "1.5", 1.5),
        (bool, "Yes", True),
        (bool, "on", True),
        (bool, "1", True),
        (bool, "off", False),
        (Duration, "50m", 3000.0),
        (Size, "2K", 2048),
        (LogLevel, "warn", LogLevel.LOGWARN),
        (LogLevel, "6", LOGINFO),
        (Result, "denysoft", DENYSOFT),
        (Colour, "green", Colour.GREEN),
        (Literal["a", "b"], "B", "b"),
        (Literal[1, 2], "2", 2),
        (int | None, "3", 3),
        (Optional[int], "3", 3),  # noqa: UP045 - older plugins write it so
        (bool | Literal["naughty"], "naughty", "naughty"),
        (bool | Literal["naughty"], "0", False),
        (Annotated[int, "some number"], "3", 3),
        (Path, "/tmp/x", Path("/tmp/x")),
        (IPv4Network, "192.0.2.0/24", IPv4Network("192.0.2.0/24")),
    ],
)
def test_words_become_values(annotation, word, value):
    assert reader(annotation).read(word) == value


@pytest.mark.parametrize(
    ("annotation", "word", "reason"),
    [
        (int, "x", "'x' is no whole number"),
        (float, "x", "'x' is no number"),
        (float, "nan", "'nan' is no number"),
        (float, "-inf", "'-inf' is no number"),
        (bool, "maybe", "'maybe' is neither yes nor no"),
        (LogLevel, "LOGLOUD", "'LOGLOUD' is no log level"),
        (Result, "9", "'9' is no result"),
        (Colour, "blue", "'blue' is not one of RED, GREEN"),
        (Literal["a", "b"], "c", "'c' is not one of a, b"),
        (int | Literal["all"], "x", "'x' is not a whole number or one of all"),
        (re.Pattern[str], "(", r"'\(' is no regular expression: "),
        (Duration, "x", "'x' is no length of time"),
    ],
)
def test_words_that_are_no_values(annotation, word, reason):
    with pytest.raises(ValueError, match=reason):
        reader(annotation).read(word)


def test_a_pattern_is_compiled():
    assert reader(re.Pattern).read("^a+$").fullmatch("aa")


def test_a_path_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/qpsmtpd")
    assert reader(Path).read("~/spool") == Path("/home/qpsmtpd/spool")


def test_lists_take_many_words():
    assert reader(list).many
    assert reader(list[int]).many
    assert reader(list[int]).read("3") == 3
    assert reader(list[int]).wants == "a whole number; may be repeated"


@pytest.mark.parametrize("annotation", [dict[str, int], dict, tuple, object, 3, None])
def test_types_that_no_word_can_have(annotation):
    with pytest.raises(TypeError, match="cannot be read from a line"):
        reader(annotation)


def test_yes_and_no():
    assert is_yes_or_no("Yes")
    assert is_yes_or_no("0")
    assert not is_yes_or_no("reject")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        ("", ""),
        ([], ""),
        (0, "0"),
        (False, "no"),
        (True, "yes"),
        (Duration("50m"), "50m"),
        (LOGINFO, "LOGINFO"),
        (re.compile("a+"), "a+"),
        (["a", 1], "a 1"),
        (1.5, "1.5"),
    ],
)
def test_defaults_are_spelled_as_on_a_line(value, words):
    assert spelled(value) == words
