"""What is known of one setting."""

import os

import pytest

from qpsmtpd.config.control import Content
from qpsmtpd.config.entry import Entry
from qpsmtpd.errors import ConfigError


def content(*texts):
    made = Content()
    for number, text in enumerate(texts, 1):
        made.add(text, "/etc/f", number)
    return made


def test_a_value_and_its_lines():
    entry = Entry().fill("max_errors", content("5", "6"))
    assert (entry.typed, entry.lines) == (5, ["5", "6"])
    assert entry.content is not None
    assert entry.usable
    assert entry.insist() is entry


def test_a_default_has_no_content():
    entry = Entry().fill("max_errors", Content())
    assert (entry.typed, entry.lines, entry.content) == (10, ["10"], None)
    entry = Entry().fill("rcpthosts", Content())
    assert (entry.typed, entry.lines, entry.content) == ([], [], None)
    entry = Entry().fill("smtpgreeting", Content())
    assert (entry.typed, entry.lines, entry.content) == (None, [], None)


def test_me_is_the_name_of_the_system():
    assert Entry().fill("me", Content()).typed == os.uname().nodename


def test_a_name_that_is_not_in_the_table_is_a_line():
    assert Entry().fill("mine", content("a", "b")).typed == "a"
    assert Entry().fill("mine", Content()).typed is None


def test_an_answer_of_a_plugin():
    entry = Entry().answer("rcpthosts", (" a ", None, 5))
    assert entry.lines == ["a", "5"]
    assert str(entry.content.place(0)) == "config hook"
    entry = Entry().answer("max_errors", (7,))
    assert entry.typed == 7
    entry = Entry().answer("max_errors", ())
    assert (entry.typed, entry.content) == (10, None)


def test_a_mapping_as_answer():
    answer = {"a.example": "", "b.example": "relay"}
    entry = Entry().answer("morercpthosts", (answer,))
    assert entry.typed is answer
    assert entry.lines == ["a.example", "b.example relay"]


def test_a_failure_keeps_what_was_before():
    former = Entry().fill("max_errors", content("5"))
    entry = Entry().fail(ConfigError("bad", file="/etc/f", line=2), former)
    assert (entry.typed, entry.lines, entry.content) == (5, ["5"], former.content)
    assert entry.usable
    assert [str(problem) for problem in entry.problems] == ["/etc/f:2: bad"]


def test_a_failure_without_a_value_before_is_told_each_time():
    entry = Entry().fail(ConfigError("bad", file="/etc/f", line=2), None)
    assert not entry.usable
    raised = []
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^/etc/f:2: bad$") as caught:
            entry.insist()
        raised.append(caught.value)
    assert raised[0] is not raised[1], "a traceback would grow"


def test_the_same_value_is_the_same_object():
    former = Entry().fill("rcpthosts", content("a"))
    same, other = Entry().fill("rcpthosts", content("a")), Entry().fill("rcpthosts", content("b"))
    first = Entry().fill("rcpthosts", content("a"))
    for entry in (same, other):
        entry.settle(former)
    first.settle(None)
    assert same.typed is former.typed
    assert other.typed == ["b"]
    assert first.typed == ["a"]
