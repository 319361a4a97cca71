import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from qpsmtpd.cli import plugins


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an installation of its own; returns exit code, output, complaints."""
    config = tmp_path / "config"
    config.mkdir()
    monkeypatch.setenv("QPSMTPD_CONFIG", str(config))
    monkeypatch.setenv("QMAIL", str(tmp_path / "qmail"))
    monkeypatch.chdir(tmp_path)

    def run_command(*words, **files):
        for name, text in files.items():
            (config / name).write_text(text)
        parser = argparse.ArgumentParser()
        plugins.add_parsers(parser.add_subparsers(required=True))
        arguments = parser.parse_args(words)
        code = arguments.command(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


SAY = (
    '"""say - say something\n\nDESCRIPTION\n\nSays it.\n"""\n'
    "from qpsmtpd.plugin import blocking\n"
    "class Args:\n    word: str = 'hello'  #: what to say\n"
    "@blocking\ndef hook_quit(plugin, connection): ...\n"
    "def hook_connect(plugin, connection): ...\n"
)


@pytest.fixture
def mine(tmp_path):
    directory = tmp_path / "mine"
    directory.mkdir()
    (directory / "say.py").write_text(SAY)
    return str(directory)


def test_plugins_are_listed(run, mine):
    code, out, err = run("plugins", plugin_dirs=mine)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert "say" in [line.split()[0] for line in lines]
    assert next(line for line in lines if line.startswith("say ")).endswith("  say something")
    assert [line for line in lines if line.startswith("queue/discard ")]


def test_the_manual_page_of_a_plugin(run, mine):
    code, out, _ = run("plugins", "say", plugin_dirs=mine)
    assert code == 0
    assert out.startswith("say - say something\n\nDESCRIPTION\n\nSays it.\n\nARGUMENTS\n")
    assert "What to say. Text; default hello." in out


def test_a_plugin_that_is_not_there(run):
    code, out, err = run("plugins", "nothing")
    assert (code, out) == (1, "")
    assert err == "qpsmtpd: no plugin 'nothing'; qpsmtpd plugins lists them\n"


def test_hooks_show_the_chains(run, mine):
    code, out, err = run(
        "hooks", plugin_dirs=mine, plugins="say\nsay:2 timeout 5s on_error denysoft\n"
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "connect",
        "    say                              plain          60s",
        "    say_3a2                          plain           5s  on_error DENYSOFT",
        "quit",
        "    say                              blocking       60s",
        "    say_3a2                          blocking        5s  on_error DENYSOFT",
    ]


def test_one_hook(run, mine):
    code, out, _ = run("hooks", "hook_connect", plugin_dirs=mine, plugins="say\n")
    assert (code, out.splitlines()[0], len(out.splitlines())) == (0, "connect", 2)
    code, out, _ = run("hooks", "data-post", plugin_dirs=mine, plugins="say\n")
    assert (code, out) == (0, "data_post\n    nobody\n")


def test_all_hooks(run, mine):
    _, out, _ = run("hooks", "--all", plugin_dirs=mine, plugins="say\n")
    assert "rcpt\n    nobody\n" in out
    assert out.startswith("logging\n    nobody\n")


def test_no_such_hook(run):
    code, _, err = run("hooks", "recpt")
    assert code == 1
    assert err.startswith("qpsmtpd: no hook 'recpt'; there are logging, config,")


def test_hooks_name_every_line_that_cannot_be_used(run, mine, tmp_path):
    code, out, err = run("hooks", plugin_dirs=mine, plugins="say timeout x\nnothing\nsay\n")
    assert code == 1
    file = tmp_path / "config" / "plugins"
    first, second = err.splitlines()
    assert first.startswith(f"qpsmtpd: {file}:1: say: argument timeout: 'x' is no length of time")
    assert second.startswith(f"qpsmtpd: {file}:2: no plugin 'nothing'")
    assert "connect\n    say " in out


def test_plugins_may_use_services_while_they_are_loaded(run, mine):
    (Path(mine) / "early.py").write_text(
        "def register(plugin):\n"
        "    plugin.start = plugin.clock.now()\n"
        "    plugin.seen = plugin.wait(plugin.store.get('x', 'nothing'))\n"
    )
    assert run("hooks", plugin_dirs=mine, plugins="early\n") == (0, "", "")


@pytest.mark.parametrize("name", ["refuse_domain", "queue/my-queue"])
def test_a_new_plugin_comes_with_a_test_that_passes(run, tmp_path, name):
    code, out, err = run("new-plugin", name, str(tmp_path / "mine"))
    assert (code, err) == (0, "")
    assert f"put {tmp_path / 'mine'} into config/plugin_dirs and {name} into config/plugins" in out
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("--rootdir", str(tmp_path), str(tmp_path / "mine")),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout, "three, under both drivers"
    code, out, err = run(
        "hooks", plugin_dirs=str(tmp_path / "mine"), plugins=f"{name} example.net\n"
    )
    assert (code, err) == (0, "")
    assert out.startswith("rcpt\n")


def test_a_new_plugin_overwrites_nothing(run, tmp_path):
    assert run("new-plugin", "one")[0] == 0
    (tmp_path / "one.py").write_text("mine")
    code, out, err = run("new-plugin", "one")
    assert (code, out, err) == (1, "", "qpsmtpd: one.py exists; nothing was written\n")
    assert (tmp_path / "one.py").read_text() == "mine"
    (tmp_path / "one.py").unlink()
    assert "test_one.py exists" in run("new-plugin", "one")[2]
    assert not (tmp_path / "one.py").exists()


@pytest.mark.parametrize("name", ["../evil", "Upper", "a/b/c", "", "a b", "1st"])
def test_names_for_plugins(run, name):
    code, _, err = run("new-plugin", name)
    assert code == 1
    assert "is no name for a plugin" in err


def test_a_directory_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("new-plugin", "one", str(tmp_path / "file"))
    assert code == 1
    assert err.startswith("qpsmtpd: ")
