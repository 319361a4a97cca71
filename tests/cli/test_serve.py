import re

import pytest

from qpsmtpd.cli import serve
from qpsmtpd.cli.serve import IGNORED, arguments, options_from
from qpsmtpd.constants import LOGCRIT
from qpsmtpd.deploy.options import Options
from qpsmtpd.errors import ConfigError


class Log:
    threshold = 7

    def __init__(self):
        self.lines = []

    def log(self, level, text, **fields):
        self.lines.append((level, text))


def options(*argv, **settings):
    return options_from(arguments(argv), settings)


def test_without_arguments_the_defaults_hold():
    expected = Options(engine_options={"config_dirs": None, "settings": {}})
    assert options() == expected


def test_the_configuration_comes_before_the_defaults_and_after_the_command_line():
    settings = {
        "port": 24,
        "worker_timeout": 9.0,
        "workers": 4,
        "user": "mail",
        "connections": 7,
        "listen": ["[::1]:25"],
    }
    found = options("-j", "2", "--user", "smtpd", **settings)
    assert (found.workers, found.user, found.connections) == (2, "smtpd", 7)
    assert found.listen == ("[::1]:25",)
    assert (found.port, found.worker_timeout) == (24, 9.0)
    assert options("-l", "127.0.0.1:26", **settings).listen == ("127.0.0.1:26",)


@pytest.mark.parametrize(
    ("argv", "field", "value"),
    [
        (["-c", "15"], "connections", 15),
        (["--limit-connections=15"], "connections", 15),
        (["--limit-conn", "15"], "connections", 15),
        (["-m", "0"], "connections_per_ip", 0),
        (["--max-from-ip", "5"], "connections_per_ip", 5),
        (["-u", "qp"], "user", "qp"),
        (["--group", "mail"], "group", "mail"),
        (["--pid-file", "/run/qpsmtpd.pid"], "pid_file", "/run/qpsmtpd.pid"),
        (["-d"], "detach", True),
        (["--detach"], "detach", True),
        (["-j3"], "workers", 3),
        (["--procs", "3"], "workers", 3),
        (["--workers", "0"], "workers", 0),
        (["--interface", "127.0.0.1"], "listen", ("127.0.0.1",)),
        (["-l", "[::]:465 lmtp", "-l", "unix:/s"], "listen", ("[::]:465 lmtp", "unix:/s")),
        (["--backlog", "9"], "backlog", 9),
        (["--ipv6-prefix", "56"], "ipv6_prefix", 56),
        (["--graceful-timeout", "5"], "graceful_timeout", 5),
    ],
)
def test_options_of_the_original_and_ours(argv, field, value):
    assert getattr(options(*argv), field) == value


def test_every_address_without_a_port_is_bound_on_every_port(monkeypatch):
    monkeypatch.setattr(serve, "default_address", lambda: "[::]")
    argv = [
        "-l",
        "192.0.2.1",
        "-l",
        "[::1] lmtp",
        "-l",
        "[::1]:24",
        "-l",
        "unix:/s",
        "-l",
        "systemd",
    ]
    assert options(*argv, "-p", "25", "-p", "587").listen == (
        "192.0.2.1:25",
        "192.0.2.1:587",
        "[::1]:25 lmtp",
        "[::1]:587 lmtp",
        "[::1]:24",
        "unix:/s",
        "systemd",
    )
    assert options("-p", "25").listen == ("[::]:25",)


def test_what_the_engine_is_told():
    found = options("-H", "-m", "5", "--debug", "--config-dir", "/etc/qpsmtpd").engine_options
    assert found == {
        "config_dirs": ["/etc/qpsmtpd"],
        "settings": {"connections_per_ip": "5", "reverse_lookup": "0", "loglevel": "7"},
    }
    assert options("-v").engine_options["settings"] == {"loglevel": "6"}


@pytest.mark.parametrize("option", IGNORED, ids=lambda option: option.flags[0])
def test_options_without_effect_are_accepted(option):
    argv = [option.flags[0], *(["5"] if option.metavar else [])]
    assert options(*argv) == options()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--fnord"], "unrecognized arguments: --fnord"),
        (["-c", "many"], "argument -c/--limit-connections: 'many' is no number"),
        (["-c", "\u0661"], "is no number"),
        (["--model", "fnord"], "invalid choice: 'fnord'"),
    ],
)
def test_a_bad_command_line_is_one_clear_line(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        arguments(argv, "qpsmtpd-async")
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert re.fullmatch(r"qpsmtpd-async: .*; see qpsmtpd-async --help\n", said)
    assert message in said


def test_help_and_version(capsys):
    for argv, text in ((["-h"], "--listen-address"), (["--version"], "Qpsmtpd Daemon - version")):
        with pytest.raises(SystemExit) as ended:
            arguments(argv)
        assert ended.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--pid-file", "run/pid"], "pid file run/pid: write the path from the root directory"),
        (["--ipv6-prefix", "129"], "ipv6_prefix 129: write 1 to 128 bits"),
    ],
)
def test_values_that_cannot_be_used(argv, message):
    with pytest.raises(ConfigError, match=message):
        options(*argv)


def test_what_cannot_be_opened_is_one_line_and_the_exit_code_of_the_configuration():
    log = Log()
    assert serve.run(Options(user="nosuchuserhere"), log) == 4
    assert [level for level, _ in log.lines] == [LOGCRIT]
    assert "unknown user nosuchuserhere" in log.lines[0][1]


def test_control_files_say_what_the_command_line_leaves_open(tmp_path, monkeypatch, capsys):
    """The whole way: command line, control files, options, and the daemon's exit code."""
    (tmp_path / "connections_per_ip").write_text("3\n")
    (tmp_path / "listen").write_text("127.0.0.1:2526 lmtp\n[::1]\n")
    found = []
    monkeypatch.setattr(serve, "run", lambda options, logger, reload: found.append(options) or 0)
    assert serve.main(["--config-dir", str(tmp_path), "-c", "7"]) == 0
    (options,) = found
    assert (options.connections, options.connections_per_ip) == (7, 3)
    assert options.listen == ("127.0.0.1:2526 lmtp", "[::1]")
    assert options.port == 2525
    (tmp_path / "connections_per_ip").write_text("few\n")
    assert serve.main(["--config-dir", str(tmp_path)]) == 4
    assert "connections_per_ip" in capsys.readouterr().err


def test_an_unknown_model_in_the_configuration():
    with pytest.raises(ConfigError, match="unknown model fnord"):
        options(model="fnord")
