"""All that is wrong with a configuration."""

import os

from qpsmtpd.config import Config
from qpsmtpd.config.carriers import TOML

SAMPLE = {
    "IP": "0\n",
    "badhelo": "# these domains never uses their domain when greeting us\naol.com\nyahoo.com\n",
    "badmailfrom_patterns": "# ^spam\n",
    "dnsbl_zones": "zen.example.org\n",
    "flat_auth_pw": "good@example.com:good_pass\n",
    "invalid_resolvable_fromhost": "127.0.0.0/8\n0.0.0.0/8\n",
    "logging": "logging/warn 6\n",
    "loglevel": "4\n",
    "plugins": "# Example\nhosts_allow\ndnsbl reject naughty reject_type disconnect\nrcpt_ok\n",
    "rcpthosts": "localhost\n",
    "relayclients": "127.0.0.1\n192.0.\n",
    "size_threshold": "10000\n",
    "tls_before_auth": "1\n",
    "tls_ciphers": "HIGH\n",
}


def lay(directory, files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(content)


def check(tmp_path, **environ):
    return Config(environ={"QPSMTPD_CONFIG": f"{tmp_path}/c", "QMAIL": f"{tmp_path}/q"}).check()


def test_a_configuration_of_the_original_has_no_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path / "c", SAMPLE)
    (tmp_path / "c" / "ssl").mkdir()
    control = {"me": "mx.example.org", "locals": "a.example", "concurrencylocal": "20"}
    lay(tmp_path / "q" / "control", control)
    assert check(tmp_path) == []


def test_all_mistakes_are_found_errors_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay(
        tmp_path / "c",
        {
            "databyte": "5",
            "databytes": "lots",
            "max_errors": "5\n6\n7\n",
            "rcpthosts": "$include nowhere\n$include rcpthosts\n$include some_hosts",
            "some_hosts": "a.example",
            "relayclients.cdb": "",
            "morercpthosts": "a.example",
            "morercpthosts.cdb": "",
            "timeout": "soon",
            **dict.fromkeys([".hidden", "README", "#me#", "me~", "me.bak", "plugins.rpmnew"], "x"),
        },
    )
    (tmp_path / "c" / "directory").mkdir()
    found = [str(problem).removeprefix(f"{tmp_path}/c/") for problem in check(tmp_path)]
    assert [text.partition(":")[0] for text in found] == [
        "databytes",
        "timeout",
        "morercpthosts.cdb",
        "rcpthosts",
        "max_errors",
        "rcpthosts",
        "databyte",
        "relayclients.cdb",
    ]
    assert "circular" in found[3]
    stray = "no setting has this name (did you mean relayclients?); nobody reads the file"
    assert found[4:] == [
        "max_errors:2: max_errors has one value; this line and those below it do not count",
        "rcpthosts:1: $include nowhere: there is no such file",
        "databyte: no setting has this name (did you mean databytes?); nobody reads the file",
        f"relayclients.cdb: {stray}",
    ]


def test_a_file_somebody_looked_up_is_none_of_nobody(tmp_path):
    lay(tmp_path, {"of_my_own_plugin": "x"})
    config = Config(directories=[str(tmp_path)])
    assert len(config.check()) == 1
    config.lines("of_my_own_plugin")
    assert config.check() == []


def test_a_directory_asked_for_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(problem) for problem in check(tmp_path)] == [
        f"{tmp_path}/c: there is no such directory; correct QPSMTPD_CONFIG or the command line"
    ]


def test_mistakes_in_toml(tmp_path):
    lay(tmp_path, {TOML: '[settings]\nmee = "x"\ndatabytes = "x"\n[[plugin]]\n'})
    found = [str(problem) for problem in Config(directories=[str(tmp_path)]).check()]
    assert found == [
        f"{tmp_path}/{TOML}:3: databytes: 'x' is no size; write octets, or 500K, 50M, 2G",
        f"{tmp_path}/{TOML}:2: unknown setting mee (did you mean me?)",
        f'{tmp_path}/{TOML}:4: [[plugin]]: has no name; write name = "rcpt_ok"',
    ]


def test_toml_that_cannot_be_read_is_one_mistake(tmp_path):
    lay(tmp_path, {TOML: "["})
    assert len(Config(directories=[str(tmp_path)]).check()) == 1


def test_a_second_line_of_toml_or_a_plugin_has_no_line_number():
    config = Config(directories=[], environ=os.environ)
    config.override("me", ["a", "b"], "--me")
    assert [(problem.file, problem.line) for problem in config.check()] == [("--me", None)]
