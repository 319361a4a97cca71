import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.message.header import Field, Header

PLAIN = (
    b"Received: from a\n\tby b; date\n"
    b"DKIM-Signature: v=1;\n h=From\n"
    b"Subject: first\n"
    b"SUBJECT:second \n"
    b"From : x@example.org\n"
)


def test_fields_are_cut_and_kept():
    header = Header(PLAIN)
    assert len(header) == 5
    assert list(header) == [
        Field("Received", b"Received: from a\n\tby b; date\n"),
        Field("DKIM-Signature", b"DKIM-Signature: v=1;\n h=From\n"),
        Field("Subject", b"Subject: first\n"),
        Field("SUBJECT", b"SUBJECT:second \n"),
        Field("From", b"From : x@example.org\n"),
    ]
    assert [field.value for field in header] == [
        *("from a\tby b; date", "v=1; h=From", "first", "second", "x@example.org")
    ]
    assert header.to_bytes() == PLAIN
    assert not header.edited


def test_looking_up():
    header = Header(PLAIN)
    assert header.get("subject") == "first"
    assert header.get_all("Subject") == ["first", "second"]
    assert header.get_raw("received") == b"Received: from a\n\tby b; date\n"
    assert header.get("received") == "from a\tby b; date"
    assert "FROM" in header
    for name in ("To", "", "From ", ":", "Fröm", "\udcff", b"From", None, 3):
        assert name not in header
    for name in ("To", "", "no such name", "\udcff"):
        assert header.get(name) is None
        assert header.get_raw(name) == b""
        assert header.get_all(name) == []
        assert header.delete(name) == 0
        assert header.rename(name, "X") == 0


def test_values_of_any_octets():
    header = Header(b"A: \xff\xc3\xa4\0\x1b\nB:\n C:\n\nrest")
    assert header.get("A") == "\udcffä\0\x1b"
    header = Header(b"Subject: \xff\xc3\xa4\n")
    header.add("X-Copy", header.get("Subject"))
    assert header.get_raw("X-Copy") == b"X-Copy: \xff\xc3\xa4\n"


STRANGE = {
    "empty": (b"", []),
    "mbox line": (b"From me Mon Jan  1 10:00:00 2024\nA: b\n", ["", "A"]),
    "text": (b"Hello, how are you?\nA: b\n", ["", "A"]),
    "continuation first": (b" x\n\ty\nA: b\n", ["", "A"]),
    "continued text": (b"A: b\nno field\n at all\nC: d\n", ["A", "", "C"]),
    "8-bit name": (b"\xc3\xa4: b\nA: b\n", ["", "A"]),
    "blank in a name": (b"A b: c\nA: b\n", ["", "A"]),
    "no name": (b": b\nA: b\n", ["", "A"]),
    "NUL": (b"A\0: b\nA: \0\n", ["", "A"]),
    "no line end": (b"A: b\nC: d", ["A", "C"]),
    "no line end, continued": (b"A: b\n c", ["A"]),
    "CR": (b"A: b\rC: d\nE: f\n", ["A", "E"]),
    "blank continuation": (b"A: b\n \n c\nD: e\n", ["A", "D"]),
}


@pytest.mark.parametrize(("content", "names"), STRANGE.values(), ids=STRANGE)
def test_strange_lines_are_kept(content, names):
    header = Header(content)
    assert [field.name for field in header] == names
    assert header.to_bytes() == content
    header.add("X", "y")
    rest = content if content.endswith(b"\n") or not content else content + b"\n"
    assert header.to_bytes() == rest + b"X: y\n"
    assert header.delete("x") == 1
    assert header.to_bytes() == rest
    assert header.get(":") is None
    assert header.rename("", "X") == 0


def test_lines_that_are_no_field_have_a_value_too():
    assert [field.value for field in Header(b" x\n y\n")] == ["x y"]


def test_adding_at_the_top_does_not_cut():
    header = Header(PLAIN)
    header.add("Received", "one", first=True)
    header.add("Authentication-Results", "two", first=True)
    assert header._raws is None
    assert header.to_bytes() == b"Authentication-Results: two\nReceived: one\n" + PLAIN
    assert header._raws is None
    assert header.edited
    assert header.get_all("Received") == ["one", "from a\tby b; date"]
    header.add("X", "three", first=True)
    assert [field.name for field in header][:4] == [
        *("X", "Authentication-Results", "Received", "Received")
    ]
    assert header.to_bytes().startswith(b"X: three\nAuthentication-Results: two\n")


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("lead", [b"From x\n", b">From x\n y\n", b" x\n y\n", b"\tx\n"])
def test_what_must_stay_on_top_does(lead, look):
    header = Header(lead + b"A: b\n")
    if look:
        assert "A" in header
    header.add("One", "1", first=True)
    header.add("Two", "2", first=True)
    assert header.to_bytes() == lead + b"Two: 2\nOne: 1\nA: b\n"
    assert [field.name for field in header] == ["", "Two", "One", "A"]
    assert header.get("One") == "1"


def test_a_lead_without_a_line_end_gets_one():
    header = Header(b" x")
    header.add("One", "1", first=True)
    assert header.to_bytes() == b" x\nOne: 1\n"


def test_other_lines_may_be_below_ours():
    header = Header(b"no field\nA: b\n")
    header.add("One", "1", first=True)
    assert header.to_bytes() == b"One: 1\nno field\nA: b\n"


def test_adding_to_nothing():
    header = Header()
    header.add("A", "b", first=True)
    header.add("C", "d")
    header.add("E", "f", first=True)
    assert header.to_bytes() == b"E: f\nA: b\nC: d\n"


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("b", b"A: b\n"),
        (b"b", b"A: b\n"),
        ("ä", b"A: \xc3\xa4\n"),
        ("", b"A:\n"),
        ("  b \n", b"A: b\n"),
        ("b\n c\n\td\n", b"A: b\n c\n\td\n"),
        ("\n b", b"A:\n b\n"),
        ("a: b", b"A: b\n"),
        ("a:b", b"A: b\n"),
        ("a:", b"A:\n"),
        ("ab: c", b"A: ab: c\n"),
        ("\x1b\x01", b"A: \x1b\x01\n"),
    ],
)
def test_values_that_are_written(value, raw):
    header = Header()
    header.add("A", value)
    assert header.to_bytes() == raw
    assert len(header) == 1


@pytest.mark.parametrize(
    "value",
    [
        *(
            "a\nb",
            "a\n\nb",
            "a\n\n b",
            "a\n \n b",
            "a\r\n b",
            "a\rb",
            "\r",
            "a\0b",
            "\nb",
            "\n\n b",
        ),
        *(b"a\nB: c", b"a\r", "\ud800", "a\n\x0bb", "a\n \t\n b"),
    ],
)
def test_values_that_would_not_stay_one_field_are_refused(value):
    header = Header(PLAIN)
    for use in (
        lambda: header.add("A", value),
        lambda: header.add("A", value, first=True),
        lambda: header.replace("Subject", value),
    ):
        with pytest.raises(ValueError, match=r"\S"):
            use()
    assert header.to_bytes() == PLAIN
    assert not header.edited


@pytest.mark.parametrize("name", ["", "A B", "A:", "Ä", "A\n", "A\0", "\x7f", " A", "\udcff"])
def test_names_that_are_none_are_refused(name):
    header = Header(PLAIN)
    for use in (
        lambda: header.add(name, "x"),
        lambda: header.replace(name, "x"),
        lambda: header.rename("Subject", name),
        lambda: header.rename_fields(list(header), name),
    ):
        with pytest.raises(ValueError, match="no name of a header field"):
            use()
    assert header.to_bytes() == PLAIN


def test_replace():
    header = Header(PLAIN)
    header.replace("subject", "new")
    assert header.get_all("Subject") == ["new", "second"]
    assert [field.name for field in header][2] == "subject"
    header.replace("X-New", "at the end")
    assert header.to_bytes().endswith(b"x@example.org\nX-New: at the end\n")
    assert header.edited


@pytest.mark.parametrize(
    ("index", "left"),
    [
        (None, []),
        (0, ["2", "3"]),
        (1, ["1", "3"]),
        (-1, ["1", "2"]),
        (-2, ["1", "3"]),
        (3, ["1", "2", "3"]),
        (-4, ["1", "2", "3"]),
    ],
)
def test_delete(index, left):
    header = Header(b"A: 1\nB: x\n y\na: 2\nA : 3\n")
    assert header.delete("A", index) == 3 - len(left)
    assert header.get_all("A") == left
    assert header.get("B") == "x y"
    assert header.edited == (len(left) < 3)


def test_rename_keeps_place_and_value():
    header = Header(b"A:1\nB: x\nA :\n 2\n")
    assert header.rename("a", "Old-A") == 2
    assert header.to_bytes() == b"Old-A:1\nB: x\nOld-A:\n 2\n"
    assert header.get_all("old-a") == ["1", "2"]
    assert "A" not in header


def test_rename_fields():
    header = Header(b"A: 1\nA: 2\nA: 3\n")
    chosen = [field for field in header if field.value != "2"]
    assert header.rename_fields(chosen, "B") == 2
    assert header.to_bytes() == b"B: 1\nA: 2\nB: 3\n"


def test_may_hold():
    header = Header(b"A-b: 1\nCc: 2\n")
    assert header.may_hold(b"a-b")
    assert header.may_hold(b"cc")
    assert not header.may_hold(b"x")
    assert not header.may_hold(b"b")
    assert not Header().may_hold(b"a")
    header.add("New", "x", first=True)
    assert header._raws is None
    assert header.may_hold(b"new")
    assert header.may_hold(b"a-b")
    assert header.get("New") == "x"
    assert header.may_hold(b"cc")
    assert not header.may_hold(b"c")


def test_a_verbatim_header_is_written_with_crlf():
    header = Header(b"A: b\r\n c\r\nD: e", newline=b"\r\n")
    assert header.get("A") == "b c"
    header.add("X", "y\n z", first=True)
    header.add("Y", "z")
    header.add("Z", "\n z")
    assert header.to_bytes() == (b"X: y\r\n z\r\nA: b\r\n c\r\nD: e\r\nY: z\r\nZ:\r\n z\r\n")


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("lead", [b"", b"From x\n"])
def test_prepend(look, lead):
    header = Header(lead + b"A: b\n")
    header.add("New", "1", first=True)
    if look:
        assert "A" in header
    header.edited = False
    header.prepend(b"One: 1\nTwo: 2\n 3\n")
    assert header.edited
    assert (header._raws is not None) == look
    assert header.to_bytes() == lead + b"One: 1\nTwo: 2\n 3\nNew: 1\nA: b\n"
    assert header.get("two") == "2 3"
    assert [field.name for field in header][-4:] == ["One", "Two", "New", "A"]


@pytest.mark.parametrize("look", [True, False])
def test_prepend_to_a_verbatim_header(look):
    header = Header(b"A: b\r\n", newline=b"\r\n")
    if look:
        assert "A" in header
    header.prepend(b"One: 1\n 2\n")
    assert header.to_bytes() == b"One: 1\r\n 2\r\nA: b\r\n"


MONSTERS = {
    "fields": b"A: b\n" * 100_000,
    "continuations": b"A: b\n" + b" c\n" * 100_000,
    "no fields": b"xx\n" * 100_000,
    "long line": b"x" * 1_000_000,
    "long name": b"A" * 500_000 + b" " * 500_000 + b"\n",
    "blanks": b" " * 1_000_000,
}


@pytest.mark.parametrize("content", MONSTERS.values(), ids=MONSTERS)
def test_cutting_takes_time_by_length_only(content):
    begin = time.process_time()
    header = Header(content)
    assert len(header) in {1, 100_000}
    assert "Z" not in header
    header.rename("A", "Q")
    header.delete("Q", 0)
    assert time.process_time() - begin < 3  # quadratic work would take minutes


LINES = st.sampled_from(
    [
        b"A: b",
        b"A : b",
        b" c",
        b"\tc ",
        b"text",
        b"From x",
        b"B:",
        b":",
        b"\xff",
        b"\0",
        b"A",
        b" ",
    ]
)
SECTIONS = st.lists(LINES).map(b"\n".join)


@given(SECTIONS, st.booleans())
def test_unedited_sections_are_kept(section, ended):
    section = section.replace(b"\n\n", b"\n") + b"\n" * ended
    header = Header(section)
    assert b"".join(field.raw for field in header) == section
    assert header.to_bytes() == section
    for field in header:
        assert field.name == "" or header.get(field.name) is not None


@given(SECTIONS, st.lists(st.tuples(st.sampled_from(["A", "New"]), st.booleans()), max_size=5))
def test_fields_added_before_and_after_cutting_are_the_same(section, added):
    lazy, eager = Header(section), Header(section)
    assert len(eager) >= 0
    for name, first in added:
        for header in (lazy, eager):
            header.add(name, "x", first=first)
    assert lazy.to_bytes() == eager.to_bytes()
    assert list(lazy) == list(eager)
    new = [field for field in lazy if field.name == "New"]
    assert all(field.raw == b"New: x\n" for field in new)
    assert len(new) == sum(name == "New" for name, _ in added)
