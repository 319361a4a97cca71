"""From one carrier to the other."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsmtpd.config import SETTINGS, Config, cdb
from qpsmtpd.config.carriers import TOML
from qpsmtpd.config.convert import left_out, quote, to_control, to_toml
from qpsmtpd.errors import ConfigError

FILES = {
    "plugins": (
        "hosts_allow\nearlytalker check-at CONNECT check-at DATA\n"
        "count_unrecognized_commands 4\nqueue/maildir /var/mail %d/%l\n"
        "dnsbl reject naughty reject_type disconnect\nx a 1 b 2 a 3\ny name z args q\n"
        "relay:0 only 1\n"
        "z 007 04\nv limit 10 limit 0"
    ),
    "logging": "logging/warn 6\nlogging/file loglevel 7 /var/log/q\n",
    "loglevel": "LOGWARN",
    "me": 'mx."example"\\.org',
    "databytes": "50M\nsecond line",
    "max_errors": "007",
    "max_junk": "7",
    "rcpthosts": "example.org\nexample.net\n",
    "badhelo": "[a-z]\x7f\x01é",
    "morercpthosts": "a.example\nb.example two words\n",
    "listen": "[::]:25\n[::]:465 proxy\n",
    "proxy_from": "127.0.0.1\nunix",
    "smtpauth-checkpassword": "/bin/checkpassword /bin/true",
}


def lay(directory, files):
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(content)
    return Config(directories=[str(directory)])


def values(config):
    """Every value, plugins without their places."""
    found = {name: config.get(name) for name in SETTINGS}
    for name in ("plugins", "logging"):
        found[name] = [(line.name, line.args) for line in found[name]]
    found["morercpthosts"] = dict(found["morercpthosts"])
    return found


def test_there_and_back_again(tmp_path):
    control = lay(tmp_path / "control", FILES)
    toml = lay(tmp_path / "toml", {TOML: to_toml(control)})
    assert toml.check() == []
    assert values(toml) == values(control)
    back = lay(tmp_path / "back", to_control(toml))
    assert values(back) == values(control)
    assert to_toml(back) == to_toml(control)


def test_toml_is_as_one_would_write_it(tmp_path):
    text = to_toml(lay(tmp_path, FILES))
    parsed = tomllib.loads(text)
    assert parsed["plugin"] == [
        {"name": "hosts_allow"},
        {"name": "earlytalker", "check-at": ["CONNECT", "DATA"]},
        {"name": "count_unrecognized_commands", "args": [4]},
        {"name": "queue/maildir", "args": ["/var/mail", "%d/%l"]},
        {"name": "dnsbl", "reject": "naughty", "reject_type": "disconnect"},
        {"name": "x", "args": ["a", 1, "b", 2, "a", 3]},
        {"name": "y", "args": ["name", "z", "args", "q"]},
        {"name": "relay:0", "only": 1},
        {"name": "z", "args": ["007", "04"]},
        {"name": "v", "limit": [10, 0]},
    ]
    assert parsed["settings"]["databytes"] == "50M"
    assert parsed["settings"]["max_junk"] == 7
    assert parsed["settings"]["max_errors"] == "007"
    assert parsed["settings"]["logging"][0] == "logging/warn 6"
    assert parsed["settings"]["morercpthosts"] == {"a.example": "", "b.example": "two words"}
    assert parsed["server"]["listen"] == ["[::]:25", "[::]:465 proxy"]
    assert 'proxy_from = [\n    "127.0.0.1",\n    "unix",\n]\n' in text


def test_nothing_set_is_nothing_written(tmp_path):
    config = lay(tmp_path, {})
    assert to_toml(config) == ""
    assert to_control(config) == {}
    assert left_out(config) == []


def test_what_goes_with_both_forms_is_left(tmp_path):
    config = lay(tmp_path, {"rcpthosts": "a.example", "public_suffix_list": "x"})
    (tmp_path / "dkim").mkdir()
    cdb.write(str(tmp_path / "morercpthosts.cdb"), [(b"a.example", b"")])
    assert left_out(config) == [
        f"{tmp_path}/{name}" for name in ("morercpthosts.cdb", "dkim", "public_suffix_list")
    ]
    assert tomllib.loads(to_toml(config)) == {"settings": {"rcpthosts": ["a.example"]}}
    assert to_control(config) == {"rcpthosts": "a.example\n"}


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ('[[plugin]]\nname = "x"\ntext = "a b"', ":1: plugin x: 'a b' cannot stand in a control"),
        ('[[plugin]]\nname = "x"\ntext = ""', ":1: plugin x: '' cannot stand in a control file"),
        ('plugin = [{name = "x", text = "a b"}]', f"{TOML}: plugin x: 'a b' cannot stand"),
        ('[settings]\nrcpthosts = ["a", "#b"]', ":2: rcpthosts: '#b' cannot stand in a control"),
        ("settings.smtpgreeting = '$include x'", f"{TOML}: smtpgreeting: '.include x' cannot"),
    ],
)
def test_what_no_control_file_can_hold(tmp_path, toml, complaint):
    config = lay(tmp_path, {TOML: toml})
    with pytest.raises(ConfigError, match=complaint):
        to_control(config)


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_read_back(text):
    assert tomllib.loads(f"x = {quote(text)}") == {"x": text}


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=5)
LINES = st.lists(
    st.lists(WORD | st.sampled_from(["a", "b", "1", "name", "args"]), min_size=1, max_size=6)
    .map(" ".join)
    .filter(lambda line: line[0] not in "#$"),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)  # the machine may be busy
@given(LINES)
def test_plugin_lines_survive(tmp_path_factory, lines):
    base = tmp_path_factory.getbasetemp()
    control = lay(base / "plugin_lines", {"plugins": "\n".join(lines)})
    toml = lay(base / "plugin_tables", {TOML: to_toml(control)})
    words = [(line.name, line.args) for line in toml.plugin_lines("plugins")]
    assert words == [(line.split()[0], line.split()[1:]) for line in lines]
    assert to_control(toml)["plugins"].split("\n")[:-1] == lines
