"""Commands about the configuration."""

import argparse
import os
import tomllib

import pytest

from qpsmtpd.cli import configuration
from qpsmtpd.config import Config, Problem


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command line about the directory ``c``: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMAIL", f"{tmp_path}/qmail")
    monkeypatch.setenv("QPSMTPD_CONFIG", f"{tmp_path}/c")

    def run(*words):
        parser = argparse.ArgumentParser()
        configuration.add_parsers(parser.add_subparsers(required=True))
        arguments = parser.parse_args(words)
        code = arguments.command(arguments)
        out, err = capsys.readouterr()
        return code, out, err.replace(f"{tmp_path}/", "")

    return run


@pytest.fixture
def lay(tmp_path):
    (tmp_path / "c").mkdir(exist_ok=True)

    def lay(**files):
        for name, content in files.items():
            (tmp_path / "c" / name).write_text(content)

    return lay


def test_no_mistakes_are_good_news(capsys):
    assert configuration.report([], strict=True) == 0
    assert capsys.readouterr() == ("The configuration has no mistakes.\n", "")


def test_mistakes_are_reported_and_counted(lay, tmp_path, capsys):
    lay(databytes="lots", mee="x")
    problems = configuration.check_settings(Config(directories=[f"{tmp_path}/c"]))
    assert configuration.report(problems, strict=False) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.replace(f"{tmp_path}/", "").split("\n") == [
        "error: c/databytes:1: databytes: 'lots' is no size; write octets, or 500K, 50M, 2G",
        "warning: c/mee: no setting has this name (did you mean me?); nobody reads the file",
        "",
    ]


def test_warnings_count_if_asked_for(capsys):
    warnings = [Problem("odd", warning=True)]
    assert configuration.report(warnings, strict=False) == 0
    assert configuration.report(warnings, strict=True) == 1
    assert capsys.readouterr() == ("", "warning: odd\nwarning: odd\n")


def test_origins_of_all_settings(lay, tmp_path, capsys):
    lay(me="mx.example.org", max_errors="many")
    configuration.print_origins(Config(directories=[f"{tmp_path}/c"]))
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert ["me", "=", "mx.example.org", "#", f"{tmp_path}/c/me:1"] in rows
    assert ["timeout", "=", "1200", "#", "default"] in rows
    assert "max_errors: 'many' is no number" in err


def test_another_directory(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "me").write_text("other.example")
    assert run("config", "show", "me", "--config", "other")[1] == "me = other.example\n"


def test_show_prints_a_line_for_each_value(run, lay):
    lay(rcpthosts="a\nb", flat_auth_pw="user@example.org:secret")
    code, out, err = run("config", "show")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines.index("rcpthosts = b") == lines.index("rcpthosts = a") + 1
    assert "bare_newline = reject" in lines
    assert "flat_auth_pw = (hidden)" in lines
    assert not any("secret" in line for line in lines)
    assert not any(line.startswith("smtpgreeting") for line in lines)


def test_show_of_one_setting(run, lay, tmp_path):
    lay(databytes="50M", mine="x")
    assert run("config", "show", "databytes") == (0, "databytes = 50M\n", "")
    _, out, _ = run("config", "show", "databytes", "--origin")
    assert out.split() == ["databytes", "=", "50M", "#", f"{tmp_path}/c/databytes:1"]
    assert run("config", "show", "mine") == (0, "mine = x\n", "")
    assert run("config", "show", "smtpgreeting") == (0, "", "")
    assert run("config", "show", "ssl") == (0, "", "")
    (tmp_path / "c" / "ssl").mkdir()
    _, out, _ = run("config", "show", "ssl", "--origin")
    assert out.split() == ["ssl", "#", f"{tmp_path}/c/ssl"]


def test_show_of_what_is_not_there_or_not_right(run, lay):
    lay(databytes="lots")
    assert run("config", "show", "databyte") == (
        1,
        "",
        "error: there is no setting databyte (did you mean databytes?)\n",
    )
    code, out, err = run("config", "show", "databytes")
    assert (code, out) == (1, "")
    assert err.startswith("error: c/databytes:1: databytes: 'lots' is no size")
    code, _, err = run("config", "show", "../etc")
    assert code == 1
    assert "cannot be the name of a control file" in err


def test_convert_to_standard_output(run, lay, tmp_path):
    lay(me="mx.example.org", plugins="relay only 1")
    (tmp_path / "c" / "dkim").mkdir()
    code, out, err = run("config", "convert", "toml")
    assert (code, err) == (0, "left as it is: c/dkim\n")
    assert tomllib.loads(out) == {
        "settings": {"me": "mx.example.org"},
        "plugin": [{"name": "relay", "only": 1}],
    }
    code, out, _ = run("config", "convert", "control")
    assert code == 0
    assert out == "==> plugins <==\nrelay only 1\n==> me <==\nmx.example.org\n"


def test_convert_to_files_and_back(run, lay, tmp_path):
    lay(me="mx.example.org", plugins="relay only 1")
    assert run("config", "convert", "toml", "--to", "new/q.toml")[0] == 0
    (tmp_path / "new").rename(tmp_path / "t")
    (tmp_path / "t" / "q.toml").rename(tmp_path / "t" / "qpsmtpd.toml")
    assert run("config", "convert", "control", "--to", "back", "--config", "t")[0] == 0
    assert (tmp_path / "back" / "me").read_text() == "mx.example.org\n"
    assert (tmp_path / "back" / "plugins").read_text() == "relay only 1\n"


def test_convert_into_a_directory(run, lay, tmp_path):
    lay(me="mx.example.org")
    (tmp_path / "d").mkdir()
    assert run("config", "convert", "toml", "--to", "d")[0] == 0
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["qpsmtpd.toml"]


def test_convert_writes_over_nothing_unless_forced(run, lay, tmp_path):
    lay(me="mx.example.org", rcpthosts="a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "rcpthosts").write_text("kept")
    assert run("config", "convert", "control", "--to", "d") == (
        1,
        "",
        "error: d/rcpthosts exists; --force writes over it\n",
    )
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["rcpthosts"]
    assert run("config", "convert", "control", "--to", "d", "--force")[0] == 0
    assert (tmp_path / "d" / "rcpthosts").read_text() == "a\n"


@pytest.mark.parametrize(("form", "name"), [("toml", "qpsmtpd.toml"), ("control", "flat_auth_pw")])
def test_secrets_stay_secret(run, lay, tmp_path, form, name):
    lay(me="mx.example.org", flat_auth_pw="user@example.org:secret")
    (tmp_path / "d").mkdir()
    assert run("config", "convert", form, "--to", "d")[0] == 0
    assert (tmp_path / "d" / name).stat().st_mode & 0o777 == 0o600


def test_convert_of_what_cannot_be_used(run, lay):
    lay(databytes="lots")
    code, out, err = run("config", "convert", "toml")
    assert (code, out) == (1, "")
    assert err.startswith("error: c/databytes:1:")


def test_convert_to_where_nothing_can_be_written(run, lay, tmp_path):
    lay(me="mx.example.org")
    (tmp_path / "file").touch()
    code, _, err = run("config", "convert", "control", "--to", "file/d")
    assert code == 1
    assert err.startswith("error: cannot write file/d/me: ")


def test_init_writes_a_configuration_to_start_with(run, tmp_path):
    code, out, err = run("init", "new", "--me", "mx.example.org")
    assert (code, err) == (0, "")
    assert f"wrote {tmp_path}/new/plugins\n" in out
    assert f"Mail for localhost and mx.example.org goes to {tmp_path}/new/Maildir.\n" in out
    assert Config(directories=[f"{tmp_path}/new"]).check() == []
    assert run("config", "show", "me", "--config", "new")[1] == "me = mx.example.org\n"


def test_init_has_defaults_and_a_maildir_to_choose(run, tmp_path):
    assert run("init", "new", "--maildir", "mail")[0] == 0
    config = Config(directories=[f"{tmp_path}/new"])
    assert config.get("me") == os.uname().nodename
    assert config.plugin_lines("plugins")[-1].args == [f"{tmp_path}/mail"]


def test_init_writes_over_nothing(run, lay):
    lay(rcpthosts="mine.example")
    assert run("init", "c") == (
        1,
        "",
        "error: c/rcpthosts: is there already; nothing was written\n",
    )


def test_init_where_nothing_can_be_written(run, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = run("init", "file/new")
    assert code == 1
    assert err.startswith("error: ")
