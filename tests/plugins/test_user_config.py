import os

import pytest

from qpsmtpd.address import Address
from qpsmtpd.constants import DECLINED, OK
from qpsmtpd.errors import ConfigError


@pytest.fixture
def ask(load, tmp_path):
    def ask(pattern, user, host, name="testfield"):
        return load(f"user_config {tmp_path}/{pattern}").hook_user_config(
            Address(user, host), name
        )

    return ask


def test_the_lines_of_a_file_comments_and_all(ask, tmp_path):
    directory = tmp_path / "user_example.org_user@example.org"
    directory.mkdir()
    (directory / "testfield").write_text("testdata\n# note\n\nmore\n")
    answer = ask("%u_%h_%a", "user", "Example.ORG")
    assert answer == (OK, "testdata", "# note", "", "more")


def test_an_empty_file_is_an_answer(ask, tmp_path):
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "testfield").write_text("")
    assert ask("%u", "user", "example.org") == (OK,)


@pytest.mark.parametrize("name", ["other", "../outside", "..", ""])
def test_no_such_file(ask, tmp_path, name):
    (tmp_path / "user").mkdir()
    (tmp_path / "outside").write_text("secret")
    assert ask("%u", "user", "example.org", name) is DECLINED


@pytest.mark.parametrize(
    ("pattern", "user", "host"),
    [
        ("home/%u/x", "..", "example.org"),
        ("home/%u/x", ".", "example.org"),
        ("home/%u/x", "", "example.org"),
        ("home/%u/x", "../home", "example.org"),
        ("home/%h/x", "user", ".."),
        ("home/%a/x", "a/..", "/../x"),
        ("home/.%u/x", ".", "example.org"),
    ],
)
def test_no_address_leads_elsewhere(ask, tmp_path, pattern, user, host):
    for directory in ("x", "home/x", "home/home/x", "home/user/x"):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "testfield").write_text("secret")
    assert ask(pattern, user, host) is DECLINED


def test_a_pipe_is_neither_read_nor_waited_for(ask, tmp_path, log):
    (tmp_path / "user").mkdir()
    os.mkfifo(tmp_path / "user" / "testfield")
    assert ask("%u", "user", "example.org") is DECLINED
    assert len(log.texts(4)) == 1


def test_a_directory_is_no_file(ask, tmp_path):
    (tmp_path / "user" / "testfield").mkdir(parents=True)
    assert ask("%u", "user", "example.org") is DECLINED


def test_a_pattern_for_everybody_is_refused(load):
    with pytest.raises(ConfigError, match="%u"):
        load("user_config /etc/qpsmtpd/users")


def test_the_default_is_in_the_home_directory(load):
    directory = load("user_config").directory(Address("user", "example.org"))
    assert directory == "/home/user/.qpsmtpd"
