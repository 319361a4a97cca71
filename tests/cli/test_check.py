"""Looking for mistakes before the daemon does."""

import pytest

from qpsmtpd.cli.main import main


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Check control files: exit code, lines of output, lines of errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QMAIL", f"{tmp_path}/qmail")
    monkeypatch.setenv("QPSMTPD_CONFIG", f"{tmp_path}/c")
    (tmp_path / "c").mkdir()

    def check(*words, **files):
        for name, text in files.items():
            (tmp_path / "c" / name).write_text(text)
        code = main(["check", *words])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.replace(f"{tmp_path}/c/", "").splitlines()

    return check


def test_nothing_is_wrong(check):
    files = {"plugins": "rcpt_ok\nqueue/discard\n", "rcpthosts": "example.org\n"}
    assert check(**files) == (0, ["The configuration has no mistakes."], [])
    assert check("--strict", **files)[0] == 0


def test_values_and_their_origins(check):
    code, out, _ = check("-v", plugins="queue/discard\n", me="mx.example.org\n")
    assert code == 0
    assert [" ".join(line.split())[:20] for line in out if line.startswith("me ")] == [
        "me = mx.example.org "
    ]


def test_without_plugins_nothing_is_queued(check):
    text = "no queue plugin: every message is answered 451; add one, as queue/maildir PATH"
    assert check() == (0, [], [f"warning: {text}"])
    assert check(plugins="\nrcpt_ok\n") == (0, [], [f"warning: plugins: {text}"])
    assert check("--strict")[0] == 1


def test_plugins_of_the_original_that_are_not_here_yet_are_named(check):
    code, _, err = check(
        plugins="check_earlytalker\ndnsbl\ncheck_loop\nvirus/hbedv\nqueue/discard\n"
    )
    assert code == 1
    remedy = "is not here yet; put # in front of its line to do without"
    scanner = "its line is ignored: the scanner is no longer made; see virus/clamdscan"
    assert err == [
        f"error: plugins:2: plugin dnsbl {remedy}",
        f"error: plugins:3: plugin check_loop, called loop today, {remedy}",
        f"warning: plugins:4: plugin virus/hbedv is gone, {scanner}",
    ]


def test_words_nobody_has_a_use_for(check):
    files = {"plugins": "earlytalker wiat 5\nqueue/discard\n"}
    text = "plugins:1: earlytalker: unknown argument 'wiat' with value '5'"
    for words, code, kind in (([], 0, "warning"), (["--strict"], 1, "error")):
        found, _, (line,) = check(*words, **files)
        assert found == code
        assert line.startswith(f"{kind}: {text}")


def test_each_mistake_is_one_line_and_errors_come_first(check):
    code, _, err = check(
        mee="x\n",
        databytes="lots\n",
        model="prefork\n",
        plugins="relay only maybe\nrelay:2 fnord 1\nqueue/maildir\n",
    )
    assert code == 1
    assert [line.partition(" ")[2].split(": ")[0] for line in err] == [
        *("databytes:1", "model:1", "plugins:1", "plugins:3", "mee", "plugins:2", "plugins")
    ]
    assert [line.partition(":")[0] for line in err] == ["error"] * 4 + ["warning"] * 3
    assert "model: 'prefork' is unknown; write async" in err[1]


def test_a_file_that_cannot_be_read_is_one_line(check):
    code, _, err = check(**{"qpsmtpd.toml": "[settings\n"})
    assert code == 1
    assert err == [
        "error: qpsmtpd.toml:1: is no TOML: Expected ']' at the end of a table declaration"
    ]
