import os
import socket
import sys
import time
from pathlib import Path

import pytest

from qpsmtpd.constants import LOGERROR, LOGINFO, LOGWARN
from qpsmtpd.errors import ConfigError

WHEN = 1_700_000_000.25
STAMP = time.strftime("%a %b %d %T %Y", time.localtime(WHEN))
HEAD = f"{STAMP} {socket.gethostname()}[77]: "


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def test_a_line_is_appended(load, event, tmp_path):
    path = tmp_path / "log file"
    path.write_text("before\n")
    plugin = load(f"logging/file {path}")
    plugin.hook_logging(event(LOGWARN, "text", plugin="relay", hook="connect"))
    plugin.hook_logging(event(LOGINFO, "too much"))
    assert path.read_text() == f"before\n{HEAD}text\n"


def test_the_options(load, event, tmp_path):
    path = tmp_path / "log"
    plugin = load(f"logging/file loglevel LOGINFO nosplit reopen tsformat %s {path}")
    plugin.hook_logging(event(LOGINFO, "two\nlines \udcff \u00e9"))
    expected = f"1700000000 {socket.gethostname()}[77]: two\\x0alines \\xff \u00e9\n"
    assert path.read_text(encoding="utf-8") == expected
    assert plugin.log_level_wanted == LOGINFO


def test_the_file_is_made_when_there_is_something_to_write(load, event, tmp_path):
    plugin = load(f"logging/file {tmp_path}/log")
    assert list(tmp_path.iterdir()) == []
    plugin.hook_logging(event(LOGWARN, "text"))
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_time_and_connection_are_filled_in(load, event, tmp_path):
    plugin = load(f"logging/file {tmp_path}/%Y-%i.log")
    plugin.hook_logging(event(LOGWARN, "parent"))
    plugin.hook_logging(event(LOGWARN, "child", about_client=True))
    year = time.strftime("%Y", time.localtime(WHEN))
    assert (tmp_path / f"{year}-parent.log").read_text() == f"{HEAD}parent\n"
    assert (tmp_path / f"{year}-c1.log").read_text() == f"{HEAD}child\n"


def test_no_name_of_a_connection_leads_elsewhere(load, event, tmp_path):
    made = event(LOGWARN, "text")
    made.connection_id = "../%Y"
    load(f"logging/file {tmp_path}/x-%i").hook_logging(made)
    assert [path.name for path in tmp_path.iterdir()] == ["x-.._%Y"]


def test_a_path_that_changes_with_the_time(load, event, tmp_path):
    plugin = load(f"logging/file {tmp_path}/%H%M.log")
    for second in (0, 60, 61):
        made = event(LOGWARN, str(second))
        made.time = WHEN + second
        plugin.hook_logging(made)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("words", ["reopen ", ""])
def test_after_a_rename_the_next_line_goes_to_a_new_file(
    load, event, tmp_path, monkeypatch, words
):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = tmp_path / "log"
    plugin = load(f"logging/file {words}{path}")
    plugin.hook_logging(event(LOGWARN, "one"))
    path.rename(tmp_path / "old")
    plugin.hook_logging(event(LOGWARN, "two"))
    assert path.exists() is bool(words)
    now[0] += 1
    plugin.hook_logging(event(LOGWARN, "three"))
    assert path.read_text().splitlines()[-1] == f"{HEAD}three"
    kept = (tmp_path / "old").read_text() + path.read_text()
    assert kept == f"{HEAD}one\n{HEAD}two\n{HEAD}three\n"


def test_no_descriptor_is_left_behind(load, event, tmp_path):
    path = tmp_path / "log"
    plugin = load(f"logging/file reopen {path}")
    plugin.hook_logging(event(LOGWARN, "one"))
    before = descriptors()
    for _ in range(5):
        path.unlink()
        plugin.hook_logging(event(LOGWARN, "next"))
    assert descriptors() == before


def test_while_no_new_file_can_be_made_the_old_one_is_used(load, event, tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    plugin = load(f"logging/file reopen {directory}/log")
    plugin.hook_logging(event(LOGWARN, "one"))
    directory.rename(tmp_path / "moved")
    plugin.hook_logging(event(LOGWARN, "two"))
    assert (tmp_path / "moved" / "log").read_text() == f"{HEAD}one\n{HEAD}two\n"


@pytest.mark.parametrize("words", ["", "{0}/missing/log", "{0}", "|", "|cat 'x", "loglevel 9 /x"])
def test_a_wrong_line_is_refused(load, tmp_path, words):
    with pytest.raises(ConfigError):
        load(f"logging/file {words.format(tmp_path)}")


# --------------------------------------------------------------------------------- a program


@pytest.fixture
def program(tmp_path):
    """A program that appends what it reads to the file it is given."""
    path = tmp_path / "collect.py"
    path.write_text(
        "import sys\n"
        "with open(sys.argv[1], 'ab', 0) as file:\n"
        "    for line in sys.stdin.buffer:\n"
        "        file.write(line)\n"
        "        if line.endswith(b'die\\n'):\n"
        "            break\n"
    )
    return f"|{sys.executable} -S {path}"


def test_a_program_gets_the_lines_and_no_shell_sees_them(load, event, tmp_path, program):
    out = tmp_path / "out $(id) ;"
    plugin = load(f"logging/file loglevel 6 {program} '{out}'")
    plugin.hook_logging(event(LOGINFO, "one"))
    plugin.hook_logging(event(LOGERROR, "two"))
    wait_for(lambda: out.exists() and out.read_text() == f"{HEAD}one\n{HEAD}two\n")
    pid = plugin.target._pid
    plugin.target.close()
    wait_for(lambda: gone(pid))


def test_a_program_that_ended_is_started_again_after_a_pause(
    load, event, tmp_path, program, monkeypatch
):
    plugin = load(f"logging/file {program} {tmp_path}/out")
    plugin.hook_logging(event(LOGWARN, "die"))
    wait_for(lambda: gone(plugin.target._pid))
    with pytest.raises(OSError, match="not started again yet"):
        plugin.hook_logging(event(LOGWARN, "lost"))
    plugin.target._started -= 10
    plugin.hook_logging(event(LOGWARN, "again"))
    wait_for(lambda: "again" in (tmp_path / "out").read_text())
    pid = plugin.target._pid
    plugin.target.close()
    wait_for(lambda: gone(pid))


def test_a_program_that_is_not_there_is_an_error_of_the_line(load, event):
    plugin = load("logging/file |/nowhere/program")
    before = descriptors()
    with pytest.raises(OSError, match="nowhere"):
        plugin.hook_logging(event(LOGWARN, "text"))
    assert descriptors() == before


def gone(pid):
    """True when a process has ended, reaped or not."""
    try:
        os.waitpid(pid, os.WNOHANG)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ChildProcessError, FileNotFoundError):
        return True
