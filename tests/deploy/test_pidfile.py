import os
import re
import subprocess
import sys

import pytest

from qpsmtpd.deploy.pidfile import PidFile, alive
from qpsmtpd.errors import ConfigError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pid"


def test_it_is_written_and_removed(path):
    found = PidFile(str(path))
    found.claim()
    found.write()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o022 == 0
    found.remove()
    assert not path.exists()
    found.remove()


def test_a_daemon_that_does_not_lock_is_found(path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        path.write_text(str(other.pid))
        message = f"Found an already running qpsmtpd with pid {other.pid}."
        with pytest.raises(ConfigError, match=re.escape(message)):
            PidFile(str(path)).claim()
        assert path.read_text() == str(other.pid)
        other.communicate(b"\n")
    found = PidFile(str(path))
    found.claim()
    found.remove()


@pytest.mark.parametrize("text", ["", "fnord", "0", "99999999"])
def test_what_names_nobody_is_no_obstacle(path, text):
    path.write_text(text)
    found = PidFile(str(path))
    found.claim()
    found.write()
    assert path.read_text() == f"{os.getpid()}\n"
    found.remove()


def test_two_that_start_at_once(path):
    first = PidFile(str(path))
    first.claim()
    with pytest.raises(ConfigError, match="already running"):
        PidFile(str(path)).claim()
    first.remove()


def test_a_file_that_was_replaced_is_left_alone(path):
    found = PidFile(str(path))
    found.claim()
    path.unlink()
    path.write_text("another")
    found.remove()
    assert path.read_text() == "another"


def test_a_missing_directory_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot open pid file .*: No such file or directory; "):
        PidFile(str(tmp_path / "missing" / "pid")).claim()


def test_a_link_is_not_followed(tmp_path, path):
    target = tmp_path / "target"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="cannot open pid file"):
        PidFile(str(path)).claim()
    assert target.read_text() == "precious"


def test_the_dead_are_told_from_the_living():
    assert alive(os.getpid())
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(child.pid)  # ended, and not waited for
