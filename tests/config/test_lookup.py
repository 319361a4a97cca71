"""Look-up of settings."""

import os
import threading

import pytest

from qpsmtpd.config import Config, cdb
from qpsmtpd.config.carriers import TOML
from qpsmtpd.errors import ConfigError


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def config(tmp_path, clock):
    return Config(directories=[str(tmp_path)], clock=clock)


@pytest.fixture
def lay(tmp_path):
    """Write a file by way of a new one, as careful people do."""

    def lay(name, content):
        (tmp_path / ".new").write_text(content)
        (tmp_path / ".new").replace(tmp_path / name)
        return str(tmp_path / name)

    return lay


# ------------------------------------------------------------------- as the original's tests


def test_facts_of_the_original(config, lay):
    assert config.carriers.directory("unknown") == config.carriers.directories[-1]
    assert config.get("me") == os.uname().nodename
    assert config.get("timeout") == 1200
    assert config.get("unknown") is None
    lay("me", "host.example.org\n")
    lay("relayclients", "127.0.0.1\n192.0.\n 2001:0DB8 \n2001:DB8::1/32\t\r\n")
    config = Config(directories=config.carriers.directories)
    assert config.get("me") == "host.example.org"
    assert config.lines("relayclients") == ["127.0.0.1", "192.0.", "2001:0DB8", "2001:DB8::1/32"]


def test_a_database_of_qmail(tmp_path, config):
    cdb.write(str(tmp_path / "users.cdb"), [(b"!example.com-", b"")])
    assert "!example.com-" in config.map("users")
    assert config.map("users") is config.map("users")


def test_settings_of_an_address(config, lay):
    lay("size_threshold", "10000")
    address = object()
    assert config.for_address(address, "size_threshold") == ["10000"]
    assert config.for_address(address, "unknown") == []
    config.user_hook = lambda whose, name: None
    assert config.for_address(address, "unknown") == []
    config.user_hook = lambda whose, name: ("test value", None, 5) if whose is address else None
    assert config.for_address(address, "unknown") == ["test value", "5"]
    assert config.for_address(object(), "size_threshold") == ["10000"]


# ------------------------------------------------------------------- types


def test_values_by_type(config, lay):
    lay("databytes", "50M")
    lay("timeoutsmtpd", "5m")
    lay("tls_before_auth", "1")
    lay("max_errors", "3")
    lay("badhelo", "aol.com\nyahoo.com")
    lay("morercpthosts", "a.example\nb.example x")
    lay("plugins", "relay\nrcpt_ok")
    lay("xclient_from", "192.0.2.0/24")
    assert config.get("databytes") == config.number("databytes") == config.size("databytes")
    assert config.size("databytes") == 50 << 20
    assert config.duration("timeoutsmtpd") == 300
    assert config.flag("tls_before_auth") is True
    assert config.number("max_errors") == 3
    assert config.text("badhelo") == "aol.com"
    assert config.get("morercpthosts") == {"a.example": "", "b.example": "x"}
    assert [line.name for line in config.plugin_lines("plugins")] == ["relay", "rcpt_ok"]
    assert config.plugin_lines("logging") == []
    assert "192.0.2.7" in config.get("xclient_from")
    assert config.text("smtpgreeting") is None
    assert config.flag("smtpgreeting") is False


def test_names_that_are_in_no_table(config, lay):
    path = lay("mine", "50M\nsecond")
    assert config.get("mine") == config.text("mine") == "50M"
    assert config.lines("mine") == ["50M", "second"]
    assert config.size("mine") == 50 << 20
    assert config.source("mine") == f"{path}:1"
    with pytest.raises(ConfigError, match=f"^{path}:1: mine: '50M' is no number; write digits"):
        config.number("mine")
    assert config.number("nothing") == 0
    assert config.duration("nothing") == 0
    assert config.flag("nothing") is False
    assert config.map("mine") == {"50M": "", "second": ""}


def test_a_default_that_is_no_number(config):
    with pytest.raises(ConfigError, match=r"^bare_newline: 'reject' is no number"):
        config.number("bare_newline")


def test_files_a_plugin_reads_by_itself(config, tmp_path):
    assert config.get("ssl") is None
    assert config.origins("ssl") == []
    assert config.source("ssl") == "default"
    (tmp_path / "dkim").mkdir()
    assert config.get("dkim") == config.file("dkim") == str(tmp_path / "dkim")
    assert config.source("dkim") == str(tmp_path / "dkim")


def test_a_bad_value_is_an_error_with_its_place(config, lay):
    path = lay("databytes", "\nplenty\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"^{path}:2: databytes: 'plenty' is no size"):
            config.get("databytes")
    with pytest.raises(ConfigError):
        config.lines("databytes")
    with pytest.raises(ConfigError):
        config.origins("databytes")
    assert len(config.problems()) == 1


# ------------------------------------------------------------------- origins


def test_origins(config, lay, tmp_path):
    first = lay("rcpthosts", "a\n$include more\n")
    more = lay("more", "\nb")
    assert [(text, str(place)) for text, place in config.origins("rcpthosts")] == [
        ("a", f"{first}:1"),
        ("b", f"{more}:2"),
    ]
    assert config.source("rcpthosts") == f"{first}:1"
    assert config.source("databytes") == "default"
    assert config.source("morercpthosts") == "default"
    assert {first, more} <= config.watched()
    cdb.write(str(tmp_path / "morerelayclients.cdb"), [])
    assert config.source("morerelayclients") == str(tmp_path / "morerelayclients.cdb")


def test_origins_in_toml(config, lay):
    path = lay(TOML, '[settings]\n\nme = "x"\n[[plugin]]\nname = "relay"\nonly = 1\n')
    assert config.get("me") == "x"
    assert config.source("me") == f"{path}:3"
    assert config.plugin_lines("plugins") == [("relay", ["only", "1"], path, 4)]
    assert path in config.watched()


# ------------------------------------------------------------------- override


def test_an_override_comes_before_everything(config, lay):
    lay("me", "file")
    config.hook = lambda name: ("hook",)
    config.override("me", "command", "--me")
    config.override("rcpthosts", ["a", "b"], "--rcpthosts")
    config.override("morercpthosts", ["a x"], "PythonOption")
    assert config.get("me") == "command"
    assert config.source("me") == "--me"
    assert config.lines("rcpthosts") == ["a", "b"]
    assert config.map("morercpthosts") == {"a": "x"}
    assert config.source("morercpthosts") == "PythonOption"
    with pytest.raises(ConfigError, match=r"^--size: databytes: 'x' is no size"):
        config.override("databytes", "x", "--size")


# ------------------------------------------------------------------- hook


def test_a_hook_comes_before_files(config, lay):
    lay("me", "file")
    lay("rcpthosts", "file")
    answers = {"me": ("hook", "second"), "morercpthosts": ({"a": "1"},), "badhelo": ()}
    config.hook = answers.get
    assert config.get("me") == "hook"
    assert config.lines("me") == ["hook", "second"]
    assert config.source("me") == "config hook"
    assert config.map("morercpthosts") == {"a": "1"}
    assert config.lines("rcpthosts") == ["file"], "declined"
    assert config.lines("badhelo") == []
    assert config.source("badhelo") == "default"


def test_an_answer_that_stays_is_the_same_object(config):
    config.hook = lambda name: ("a", "b")
    lines = config.lines("rcpthosts")
    assert config.lines("rcpthosts") is lines
    config.hook = lambda name: ("c",)
    assert config.lines("rcpthosts") == ["c"]


def test_a_map_may_be_answered_with_lines(config):
    config.hook = lambda name: ("a x", "b")
    assert config.map("morercpthosts") == {"a": "x", "b": ""}
    assert config.map("rcpthosts") == {"a": "x", "b": ""}


def test_what_loads_plugins_comes_from_files(config, lay):
    lay("plugins", "relay")
    config.hook = lambda name: pytest.fail("asked for what it takes to load it")
    assert config.plugin_lines("plugins")[0].name == "relay"
    assert config.get("loglevel") == 4
    assert config.lines("plugin_dirs") == []
    assert config.get("listen") == []


def test_a_hook_may_look_up_settings_itself(config, lay):
    lay("me", "file")

    def hook(name):
        if name == "me":
            return (f"{config.text('me')} and {config.text('other')}",)
        return ("hook",)

    config.hook = hook
    assert config.get("me") == "file and hook"


def test_a_hook_that_raises_is_asked_again(config):
    def hook(name):
        raise RuntimeError

    config.hook = hook
    for _ in range(2):
        with pytest.raises(RuntimeError):
            config.get("me")


def test_a_bad_answer_changes_nothing(config):
    config.hook = lambda name: ("often",)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^config hook: max_errors: 'often' is no number"):
            config.get("max_errors")
    config.hook = lambda name: ("5",)
    assert config.get("max_errors") == 5
    assert config.problems() == []
    config.hook = lambda name: ("often",)
    assert config.get("max_errors") == 5
    assert len(config.problems()) == 1


# ------------------------------------------------------------------- changes


def test_files_are_looked_at_once_a_second(config, lay, clock):
    lay("me", "one")
    assert config.get("me") == "one"
    lay("me", "two")
    clock.now += 0.9
    assert not config.poll()
    assert config.get("me") == "one"
    clock.now += 0.1
    assert config.poll()
    assert config.version == 1
    assert config.get("me") == "two"
    clock.now += 1
    assert not config.poll()
    assert config.version == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "rcpthosts").unlink(),
        lambda path: (path / "me").write_text("new"),
        lambda path: (path / "more").write_text("other text"),
        lambda path: (path / "d" / "new").write_text("x"),
        lambda path: (path / "d" / "1").write_text("longer"),
        lambda path: (path / "missing").write_text("x"),
        lambda path: (path / "morercpthosts.cdb").write_text("x"),
        lambda path: (path / TOML).write_text(""),
        lambda path: (path / "ssl").mkdir(),
    ],
    ids=["gone", "come", "included", "directory", "in it", "missing", "cdb", "toml", "file"],
)
def test_every_change_is_seen(tmp_path, config, clock, change):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1").write_text("x")
    (tmp_path / "more").write_text("x")
    (tmp_path / "rcpthosts").write_text("$include d\n$include more\n$include missing\n")
    config.lines("rcpthosts")
    config.get("me")
    config.map("morercpthosts")
    config.file("ssl")
    clock.now += 1
    assert not config.poll()
    change(tmp_path)
    clock.now += 1
    assert config.poll()
    assert config.version == 1


def test_what_has_not_changed_stays_the_same_object(config, lay, clock):
    lay("rcpthosts", "a")
    lay("badhelo", "b")
    rcpthosts, badhelo = config.lines("rcpthosts"), config.lines("badhelo")
    lay("rcpthosts", "c")
    lay("badhelo", "b")
    clock.now += 1
    assert config.poll()
    assert config.lines("badhelo") is badhelo, "written, and the same as before"
    assert config.lines("rcpthosts") == ["c"]
    assert rcpthosts == ["a"]


def test_an_edit_that_cannot_be_used_changes_nothing(config, lay, clock):
    lay("databytes", "50M")
    assert config.get("databytes") == 50 << 20
    path = lay("databytes", "lots")
    clock.now += 1
    assert config.poll()
    complaint = f"{path}:1: databytes: 'lots' is no size; write octets, or 500K, 50M, 2G"
    assert [str(problem) for problem in config.problems()] == [complaint]
    assert config.get("databytes") == 50 << 20
    assert config.lines("databytes") == ["50M"]
    lay("databytes", "still lots")
    clock.now += 1
    assert config.poll()
    assert config.get("databytes") == 50 << 20
    lay("databytes", "60M")
    clock.now += 1
    assert config.poll()
    assert config.get("databytes") == 60 << 20
    assert config.problems() == []


def test_a_broken_file_is_used_once_it_is_repaired(config, lay, clock):
    lay("databytes", "lots")
    with pytest.raises(ConfigError):
        config.get("databytes")
    lay("databytes", "1k")
    clock.now += 1
    assert config.poll()
    assert config.get("databytes") == 1024


def test_broken_toml_is_used_once_it_is_repaired(config, lay, clock):
    lay(TOML, "[settings")
    for name in ("me", "databytes"):
        with pytest.raises(ConfigError, match="is no TOML"):
            config.get(name)
    lay(TOML, '[settings]\nme = "x"')
    clock.now += 1
    assert config.poll()
    assert config.get("me") == "x"
    assert config.get("databytes") == 0


def test_a_file_in_a_directory_above_is_seen(tmp_path, clock):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "second" / "me").write_text("second")
    config = Config([f"{tmp_path}/first", f"{tmp_path}/second"], clock=clock)
    assert config.get("me") == "second"
    (tmp_path / "first" / "me").write_text("first")
    assert config.get("me") == "second", "remembered until then"
    clock.now += 1
    assert config.poll()
    assert config.get("me") == "first"


def test_one_thread_looks_at_a_time(config, lay, clock):
    lay("me", "one")
    config.get("me")
    lay("me", "two")
    clock.now += 1
    with config._lock:
        results = []
        thread = threading.Thread(target=lambda: results.append(config.poll()))
        thread.start()
        thread.join()
    assert results == [False]
    assert config.poll()


def test_a_large_file(config, lay):
    lay("rcpthosts", "".join(f"host{number}.example\n" for number in range(100_000)))
    assert len(config.lines("rcpthosts")) == 100_000
    assert config.origins("rcpthosts")[99_999][1].line == 100_000
