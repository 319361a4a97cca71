import pytest

from qpsmtpd.constants import DONE, OK
from qpsmtpd.errors import ConfigError


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "mail").write_text("MAIL FROM:<address>\n\tbegins a transaction\n")
    (tmp_path / "rcpt").write_bytes(b"caf\xe9\r\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "not-a-command").write_text("x")
    (tmp_path / "directory").mkdir()
    return tmp_path


@pytest.fixture
def talk(connect):
    """A connection that keeps what plugins answer by themselves."""
    connection = connect()
    replies = []
    connection.respond_with = lambda code, lines: replies.append((code, *lines))
    return connection, replies


def test_the_lines_of_a_file(load, connect, texts):
    plugin = load(f"help help_dir {texts}")
    expected = (OK, "MAIL FROM:<address>\n        begins a transaction")
    assert plugin.hook_help(connect(), "MAIL") == expected
    assert plugin.hook_help(connect(), "mail  please") == expected


def test_what_is_not_ascii_does_not_reach_the_client(load, connect, texts):
    assert load(f"help help_dir {texts}").hook_help(connect(), "rcpt") == (OK, "caf?")


@pytest.mark.parametrize("command", ["data", "empty", "directory"])
def test_no_text(load, connect, texts, command):
    answer = load(f"help help_dir {texts}").hook_help(connect(), command)
    assert answer == (OK, f"No help available for SMTP command: {command}")


def test_help_alone(load, connect, texts):
    answer = load(f"help help_dir {texts}").hook_help(connect(), "")
    assert answer == (OK, "Try 'HELP COMMAND' for getting help on COMMAND")


@pytest.mark.parametrize("argument", ["../secret", "not-a-command", "é"])
def test_what_is_no_command(load, texts, talk, argument):
    connection, replies = talk
    assert load(f"help help_dir {texts}").hook_help(connection, argument) is DONE
    assert replies == [(502, "Invalid command name")]


def test_not_implemented(load, talk):
    connection, replies = talk
    assert load("help not_implemented 1").hook_help(connection, "mail") is DONE
    assert replies == [(502, "Not implemented.")]


def test_pairs_of_command_and_file(load, connect, texts):
    plugin = load(f"help DATA {texts}/mail help_dir {texts}")
    assert plugin.hook_help(connect(), "data")[1].startswith("MAIL FROM")
    assert plugin.hook_help(connect(), "rcpt") == (OK, "caf?")


def test_a_file_without_slash_is_below_help(load, connect, tmp_path, monkeypatch):
    (tmp_path / "help").mkdir()
    (tmp_path / "help" / "mail.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    plugin = load("help mail mail.txt")
    assert plugin.hook_help(connect(), "mail") == (OK, "text")
    assert "No help" in plugin.hook_help(connect(), "rcpt")[1]


def test_without_arguments_the_directory_is_help(load, connect, tmp_path, monkeypatch):
    (tmp_path / "help").mkdir()
    (tmp_path / "help" / "mail").write_text("text")
    monkeypatch.chdir(tmp_path)
    assert load("help").hook_help(connect(), "mail") == (OK, "text")


def test_without_arguments_there_may_be_no_directory(load, connect, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "No help" in load("help").hook_help(connect(), "mail")[1]


@pytest.mark.parametrize("words", ["mail", "mail /nowhere/mail", "a-b /etc/x", "help_dir /none"])
def test_a_wrong_line_is_refused(load, words):
    with pytest.raises(ConfigError):
        load(f"help {words}")
