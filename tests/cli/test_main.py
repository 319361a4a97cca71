"""The command as a whole: what it says about command lines that cannot be used."""

import os

import pytest

from qpsmtpd.cli.main import main
from qpsmtpd.cli.parser import complaint


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command line somewhere without configuration: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMAIL", f"{tmp_path}/qmail")
    monkeypatch.delenv("QPSMTPD_CONFIG", raising=False)

    def run(*words):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "qpsmtpd: the following arguments are required: COMMAND; see qpsmtpd --help\n"),
        (["fnord"], "qpsmtpd: argument COMMAND: invalid choice: 'fnord' (choose from 'run', "),
        (["init"], "qpsmtpd init: the following arguments are required: DIR; see qpsmtpd init -"),
        (["run", "--port", "x"], "qpsmtpd run: argument --port: invalid int value: 'x'; see "),
    ],
)
def test_a_bad_command_line_is_one_line(run, words, said):
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(said)


@pytest.mark.parametrize(
    "words",
    [["check"], ["config", "show"], ["config", "convert", "toml"], ["plugins"], ["hooks"]],
    ids=" ".join,
)
def test_a_directory_that_is_not_there_is_one_line(run, words, tmp_path):
    code, out, err = run(*words, "--config", f"{tmp_path}/c")
    assert (code, out) == (1, "")
    assert err == (
        f"qpsmtpd: {tmp_path}/c: there is no such directory; correct --config or QPSMTPD_CONFIG, "
        f"or make it with qpsmtpd init {tmp_path}/c\n"
    )


@pytest.mark.parametrize(("words", "exit_code"), [(["try"], 2), (["serve"], 4)])
def test_other_exit_codes_of_a_missing_directory(run, words, exit_code, tmp_path):
    code, _, err = run(*words, "--config", f"{tmp_path}/c")
    assert (code, err.count("\n")) == (exit_code, 1)
    assert f"{tmp_path}/c: there is no such directory" in err


def test_a_directory_that_is_closed_to_us(run, tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", closed)
    code, _, err = run("hooks", "--config", f"{tmp_path}")
    assert code == 1
    assert err.startswith(f"qpsmtpd: {tmp_path}: cannot be read: Permission denied; let user ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (ValueError("odd"), "odd"),
    ],
)
def test_what_is_said_about_an_error(error, said):
    assert complaint(error) == said


def test_octets_where_text_was_expected(run, tmp_path):
    (tmp_path / "dns").write_bytes(b"ab\xff")
    code, _, err = run("try", "relay", "--dns", "dns")
    assert (code, err) == (2, "qpsmtpd: octet 3 is not UTF-8, where text was expected\n")
