"""Control files."""

import os
import pwd
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsmtpd.config import control
from qpsmtpd.config.control import Content, Place
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    """Read ``a`` of the temporary directory: its texts, places, problems, watched names."""

    def find(name, watch):
        path = str(tmp_path / name)
        return path if watch.see(path) is not None else None

    def read(name="a"):
        watch = Watch()
        content, problems = control.read(str(tmp_path / name), find, watch)
        places = [content.place(index) for index in range(len(content))]
        short = [f"{os.path.relpath(file, tmp_path)}:{line}" for file, line in places]
        seen = {os.path.relpath(path, tmp_path) for path in watch.stamps}
        return content.texts, short, problems, seen

    return read


def lay(directory, **files):
    for name, content in files.items():
        (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_comments_and_blanks_are_left_out(tmp_path, read):
    lay(tmp_path, a="# comment\n  # indented comment\n   \n  1st line with content  \n")
    assert read()[0] == ["1st line with content"]


def test_values_are_trimmed_and_keep_what_is_inside(tmp_path, read):
    lay(tmp_path, a="127.0.0.1\r\n\t192.0. \n2001:0DB8\f\v\na # no comment\n#b\n\na\x85b\u2028c")
    texts, places, problems, _ = read()
    assert texts == ["127.0.0.1", "192.0.", "2001:0DB8", "a # no comment", "a\x85b\u2028c"]
    assert places == ["a:1", "a:2", "a:3", "a:4", "a:7"]
    assert problems == []


@pytest.mark.parametrize("content", ["", "\n", "# x", "\ufeff", "\r\n\r\n"])
def test_a_file_may_hold_nothing(tmp_path, read, content):
    lay(tmp_path, a=content)
    assert read()[0] == []


def test_a_byte_order_mark_is_no_content(tmp_path, read):
    lay(tmp_path, a="\ufeffa\n")
    assert read()[0] == ["a"]


# ---------------------------------------------------------------------------------- $include


def test_included_files_are_spliced_in(tmp_path, read):
    lay(tmp_path, a="x\n $include b \ny\n", b="1\n\n2\n$include c\n3", c="in c")
    texts, places, problems, seen = read()
    assert texts == ["x", "1", "2", "in c", "3", "y"]
    assert places == ["a:1", "b:1", "b:3", "c:1", "b:5", "a:3"]
    assert problems == []
    assert seen == {"a", "b", "c"}


def test_an_absolute_path_needs_no_looking_for(tmp_path, read):
    (tmp_path / "d").mkdir()
    lay(tmp_path / "d", b="in b")
    lay(tmp_path, a=f"$include\t{tmp_path}/d/b\n")
    assert read()[0] == ["in b"]


def test_a_directory_gives_its_plain_files_sorted(tmp_path, read):
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / "3").mkdir()
    lay(directory, **{"2": "two", "1": "one", ".h": "hidden", "10": "ten"})
    lay(tmp_path, a="x\n$include d\ny\n")
    texts, places, _, seen = read()
    assert texts == ["x", "one", "ten", "two", "y"]
    assert places == ["a:1", "d/1:1", "d/10:1", "d/2:1", "a:3"]
    assert "d" in seen, "a file may come"


def test_what_is_not_there_is_nothing(tmp_path, read):
    lay(tmp_path, a=f"x\n$include nothere\n$include {tmp_path}/neither\ny\n")
    texts, _, problems, seen = read()
    assert texts == ["x", "y"]
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/a:2: $include nothere: there is no such file",
        f"{tmp_path}/a:3: $include {tmp_path}/neither: there is no such file",
    ]
    assert all(problem.warning for problem in problems)
    assert {"nothere", "neither"} <= seen, "it may come"


def test_a_loop_costs_the_file_that_closes_it(tmp_path, read):
    lay(tmp_path, a="one # not comment\n\n# c\n two \n$include b\nthree\n", b="b1\n$include a\n")
    texts, places, problems, _ = read()
    assert texts == ["one # not comment", "two", "three"]
    assert places == ["a:1", "a:4", "a:6"]
    chain = f"{tmp_path}/a includes {tmp_path}/b includes {tmp_path}/a"
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/b:2: circular $include, left out: {chain}; take one of them out"
    ]
    assert not problems[0].warning


def test_a_file_that_includes_itself_keeps_the_rest(tmp_path, read):
    lay(tmp_path, a="x\n$include a\ny\n")
    texts, _, problems, _ = read()
    assert texts == ["x", "y"]
    assert len(problems) == 1


def test_a_loop_through_a_symbolic_link_or_directory_is_found(tmp_path, read):
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("a")
    lay(tmp_path, a="x\n$include link\n$include d\ny")
    lay(tmp_path / "d", **{"1": "one\n$include d", "2": "two"})
    texts, _, problems, _ = read()
    assert texts == ["x", "two", "y"]
    assert len(problems) == 2


def test_a_file_may_be_included_twice(tmp_path, read):
    lay(tmp_path, a="$include b\n$include b\n", b="x")
    texts, _, problems, _ = read()
    assert texts == ["x", "x"]
    assert problems == []


def test_include_needs_a_name(tmp_path, read):
    lay(tmp_path, a="x\n$include\n")
    with pytest.raises(ConfigError, match=r"/a:2: \$include names no file"):
        read()


def test_only_the_word_is_an_include(tmp_path, read):
    lay(tmp_path, a="$includes b\n$5\n$\n")
    assert read()[0] == ["$includes b", "$5", "$"]


def test_too_many_levels_are_an_error(tmp_path, read):
    for level in range(60):
        lay(tmp_path, **{f"l{level}": f"{level}\n$include l{level + 1}"})
    with pytest.raises(ConfigError, match=r"/l50: more than 50 levels"):
        read("l0")


def test_what_doubles_at_each_level_is_an_error(tmp_path, read, monkeypatch):
    monkeypatch.setattr(control, "MAX_FILES", 100)
    for level in range(40):
        lay(tmp_path, **{f"l{level}": f"$include l{level + 1}\n" * 2})
    with pytest.raises(ConfigError, match=r"100 files of \$include"):
        read("l10")


# ---------------------------------------------------------------------------------- bad files


def test_latin_1_is_refused_with_place_and_remedy(tmp_path, read):
    lay(tmp_path, a=b"ok\nb\xf6se\n")
    with pytest.raises(ConfigError, match=r"/a:2: is not UTF-8; convert the file, as with iconv"):
        read()


def test_latin_1_in_a_comment_is_left_alone(tmp_path, read):
    lay(tmp_path, a=b"# b\xf6se\nok \xe2\x82\xac\n")
    assert read()[0] == ["ok €"]


def test_utf_16_is_refused(tmp_path, read):
    lay(tmp_path, a="x\nexample.org\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"/a:1: holds NUL octets; save the file as plain"):
        read()


def test_a_missing_file_is_an_error_here(tmp_path, read):
    with pytest.raises(ConfigError, match=r"/a: cannot be read: No such file or directory$"):
        read()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_plain_file(tmp_path, read, make):
    make(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"/a: (is no plain file|cannot be read)"):
        read()


def deny(monkeypatch, name, function="open"):
    """Let a system call be refused for one path, which root would not be."""
    real = getattr(os, function)

    def refuse(path, *arguments):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments)

    monkeypatch.setattr(os, function, refuse)


def test_a_file_that_may_not_be_read(tmp_path, read, monkeypatch):
    lay(tmp_path, a="x")
    deny(monkeypatch, "/a")
    user = pwd.getpwuid(os.geteuid()).pw_name
    remedy = f"let user {user} read it and enter every directory above it"
    with pytest.raises(ConfigError, match=f"/a: cannot be read: Permission denied; {remedy}"):
        read()


def test_a_user_without_a_name_has_a_number(tmp_path, read, monkeypatch):
    lay(tmp_path, a="x")
    deny(monkeypatch, "/a")
    monkeypatch.setattr(os, "geteuid", lambda: 4242424)
    with pytest.raises(ConfigError, match="let user 4242424 read it"):
        read()


def test_what_included_an_unreadable_file_is_named(tmp_path, read, monkeypatch):
    lay(tmp_path, a="x\n$include b", b="y")
    deny(monkeypatch, "/b")
    with pytest.raises(ConfigError, match=r"/b: cannot be .* \(included by .*/a:2\)"):
        read()


def test_an_included_directory_that_may_not_be_read(tmp_path, read, monkeypatch):
    lay(tmp_path, a="$include d")
    (tmp_path / "d").mkdir()
    deny(monkeypatch, "/d", "listdir")
    with pytest.raises(ConfigError, match=r"/d: cannot be read: .* \(included by .*/a:1\)"):
        read()


# ---------------------------------------------------------------------------------- content


def test_content_forgets_what_is_cut():
    content = Content()
    for number, file in enumerate("aabbc"):
        content.add(str(number), file, number + 10)
    content.cut(3)
    content.add("x", "a", 1)
    assert content.texts == ["0", "1", "2", "x"]
    assert [content.place(index) for index in range(4)] == [
        ("a", 10),
        ("a", 11),
        ("b", 12),
        ("a", 1),
    ]
    content.cut(0)
    content.add("y", "z", 9)
    assert content.place(0) == Place("z", 9)


def test_an_error_about_a_value_has_its_place():
    content = Content()
    content.add("x", "/etc/f", 7)
    content.add("x", "default", 0)
    assert str(content.error(0, "bad")) == "/etc/f:7: bad"
    assert str(content.error(1, "bad")) == "default: bad"
    assert str(Place("/etc/f", 7)) == "/etc/f:7"
    assert str(Place("/etc/f", 0)) == "/etc/f"


# ---------------------------------------------------------------------------------- properties

BLANKS = " \t\r\v\f"
VALUES = (
    st.text(st.characters(exclude_characters="\n\0\ufeff", exclude_categories=["Cs"]), min_size=1)
    .map(lambda text: text.strip(BLANKS))
    .filter(lambda text: text and text[0] not in "#$")
)
NOISE = st.sampled_from(["", "  ", "# comment", "\t#", "\r"])


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(NOISE, VALUES, st.text(BLANKS, max_size=3)), max_size=20))
def test_values_survive_a_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round_trip"
    text = "".join(f"{noise}\n{blank}{value}{blank}\n" for noise, value, blank in rows)
    path.write_bytes(text.encode())
    content, problems = control.read(str(path), lambda name, watch: None, Watch())
    assert content.texts == [value for _, value, _ in rows]
    assert [content.place(index).line for index in range(len(content))] == [
        2 * index + 2 for index in range(len(rows))
    ]
    assert problems == []


@settings(deadline=None)  # the machine may be busy
@given(st.binary())
def test_no_content_does_worse_than_a_configuration_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(data)
    texts, files = [], [str(path)]
    try:
        content, _ = control.read(str(path), lambda name, watch: None, Watch())
        texts = content.texts
    except ConfigError as error:
        files.append(error.file)
    assert all(text and text == text.strip(BLANKS) for text in texts)
    assert set(files) == {str(path)}


def test_a_hundred_thousand_lines_are_read_in_linear_time(tmp_path, read, cpu_seconds):
    lay(tmp_path, small="user@example.org\n" * 10_000, large="user@example.org\n" * 100_000)
    small = cpu_seconds(lambda: read_plain(tmp_path / "small"))
    large = cpu_seconds(lambda: read_plain(tmp_path / "large"))
    assert large < 30 * small, "ten times the lines, with room for a busy machine"
    assert len(read_plain(tmp_path / "large")) == 100_000


def read_plain(path):
    return control.read(str(path), lambda name, watch: None, Watch())[0]


@pytest.fixture
def cpu_seconds():
    """Least CPU time of a few runs."""

    def measure(function):
        times = []
        for _ in range(3):
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
        return min(times)

    return measure
