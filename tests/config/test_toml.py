"""The TOML carrier."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsmtpd.config import toml
from qpsmtpd.config.plugin_line import plugin_lines
from qpsmtpd.errors import ConfigError

EXAMPLE = """\
# The design's example, and more.
[server]
model  = "async"
listen = ["[::]:25", "[::]:465 proxy"]
workers = 2

[settings]
me        = "mx.example.org"   # this host
databytes = "50M"
timeout = 1200.5
enhanced_status_codes = false
rcpthosts = [
    "example.org",
    "",
    " .example.org ",
]
"me-auth-results" = "none"
smtpgreeting = ""
relayclients = "127.0.0.1"
badhelo = []

[settings.morercpthosts]
"a.example" = ""
"b.example" = "relay"

[[listener]]
address = "unix:/run/lmtp"
lmtp = true
proxy = false
mode = "0660"

[[plugin]]
name   = "dnsbl"
reject = "naughty"

[[plugin]]
name = "greylisting"
args = ["black", 5]
delay = 60
zones = ["a", "b"]
ipv6 = true
"""


def read(text):
    return toml.read("/etc/q.toml", text.encode())


def problems(text):
    return [str(problem).removeprefix("/etc/q.toml:") for problem in read(text).problems]


def test_the_example():
    document = read(EXAMPLE)
    assert document.problems == []
    assert {name: content.texts for name, content in document.values.items()} == {
        "model": ["async"],
        "listen": ["[::]:25", "[::]:465 proxy", "unix:/run/lmtp lmtp mode=0660"],
        "workers": ["2"],
        "me": ["mx.example.org"],
        "databytes": ["50M"],
        "timeout": ["1200.5"],
        "enhanced_status_codes": ["0"],
        "rcpthosts": ["example.org", ".example.org"],
        "me-auth-results": ["none"],
        "relayclients": ["127.0.0.1"],
        "morercpthosts": ["a.example", "b.example relay"],
        "plugins": [
            "dnsbl reject naughty",
            "greylisting black 5 delay 60 zones a zones b ipv6 1",
        ],
    }


def test_lines_are_known_where_people_write_plainly():
    values = read(EXAMPLE).values
    lines = {name: content.place(len(content) - 1).line for name, content in values.items()}
    rows = EXAMPLE.split("\n")
    assert rows[lines["model"] - 1].startswith("model")
    assert rows[lines["me"] - 1].startswith("me ")
    assert rows[lines["rcpthosts"] - 1].startswith("rcpthosts")
    assert rows[lines["me-auth-results"] - 1].startswith('"me-auth-results"')
    assert rows[lines["morercpthosts"] - 1] == "[settings.morercpthosts]"
    assert rows[lines["plugins"] - 1 + 1] == 'name = "greylisting"'
    assert rows[lines["listen"] - 1] == "[[listener]]"
    assert values["listen"].place(0) == ("/etc/q.toml", 4)


def test_lines_are_unknown_where_they_do_not_show():
    document = read('settings = { me = "x" }\nserver.model = "y"\nplugin = [{ name = "z" }]')
    assert document.problems == []
    assert {name: content.place(0).line for name, content in document.values.items()} == {
        "me": 0,
        "model": 0,
        "plugins": 0,
    }


def test_words_may_hold_white_space():
    document = read('[[plugin]]\nname = "x"\ntext = "go away"\n')
    line = plugin_lines(document.values["plugins"])[0]
    assert line == ("x", ["text", "go away"], "/etc/q.toml", 1)


def test_an_empty_file_says_nothing():
    assert read("") == ("/etc/q.toml", {}, [])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[settings]\ndatabyte = 1",
            "2: unknown setting databyte (did you mean databytes?)",
        ),
        ('[server]\n\nme = "x"', "3: me belongs into [settings]"),
        ('[settings]\nlisten = "x"', "2: listen belongs into [server]"),
        ('[settings]\nplugins = ["x"]', "2: plugins is written as [[plugin]] tables"),
        ('[settings]\nssl = "x"', "2: ssl is read by its plugin and cannot stand here"),
        ('[sever]\nme = "x"', "1: unknown key sever (did you mean server?)"),
        ('me = "x"', "1: me belongs into [settings]"),
        ('plugins = ["x"]', "1: plugins belongs into [[plugin]] tables"),
        ("settings = 3", "1: settings is a table, written [settings]"),
        ('[plugin]\nname = "x"', "1: plugin is written as [[plugin]] tables"),
        ('listener = ["x"]', "1: listener is written as [[listener]] tables"),
        ("[settings]\nme = [1, 2]", "2: me: takes one value, not a list"),
        ("[settings]\nme = 2020-01-01", "2: me: takes a text or number, not a date"),
        ("[settings]\nrcpthosts = [[1]]", "2: rcpthosts: takes a text or number, not a list"),
        ("[settings]\nme = {a = 1}", "2: me: is no table; write a value"),
        ('[settings]\nme = "a\\nb"', "2: me: holds a line break; write a list of values"),
        ('[settings]\nme = "a\\rb"', "2: me: holds a line break; write a list of values"),
        ('[settings]\nme = "a\\u0000b"', "2: me: holds a line break; write a list of values"),
        ("[settings]\nmax_errors = true", "2: max_errors: takes a number, not true or false"),
        ("[settings]\ntimeout = true", "2: timeout: takes a duration, not true or false"),
        ("[settings]\nspool_perms = 448", '2: spool_perms: write permissions as text, as "0700"'),
        (
            '[settings]\nmorercpthosts = {"a b" = ""}',
            "2: morercpthosts: keys cannot hold white space",
        ),
        (
            '[settings]\nmorercpthosts = {"" = ""}',
            "2: morercpthosts: keys cannot hold white space",
        ),
        ("[[plugin]]\nreject = 1", '1: [[plugin]]: has no name; write name = "rcpt_ok"'),
        ("[[plugin]]\nname = 1", '2: [[plugin]]: has no name; write name = "rcpt_ok"'),
        ('[[plugin]]\nname = "a b"', '2: [[plugin]]: has no name; write name = "rcpt_ok"'),
        (
            '[[plugin]]\nname = "a"\n[[plugin]]\nname = "b"\nx = {}',
            "5: [[plugin]]: x: takes a text or number, not a dict",
        ),
        (
            '[[plugin]]\nname = "a"\nx = "ö"',
            "2: [[plugin]]: unsafe characters in '\\xf6'; ASCII only",
        ),
        (
            '[[plugin]]\nname = "a"\nx = "\\u001b"',
            "2: [[plugin]]: unsafe characters in '\\x1b'; ASCII only",
        ),
        (
            "[[listener]]\nproxy = true",
            '1: [[listener]]: has no address; write address = "[::]:25"',
        ),
        (
            '[[listener]]\naddress = "[::]:25 proxy"',
            '2: [[listener]]: has no address; write address = "[::]:25"',
        ),
        (
            '[[listener]]\naddress = "[::]:25"\nadress = 1',
            "3: [[listener]]: unknown key adress (did you mean address?)",
        ),
        (
            '[[listener]]\naddress = "[::]:25"\nproxy = "yes"',
            "3: [[listener]]: proxy takes true or false",
        ),
        (
            '[[listener]]\naddress = "[::]:25"\nname = "a b"',
            "3: [[listener]]: name takes a text without white space",
        ),
        (
            '[[listener]]\naddress = "[::]:25"\nmode = 660',
            "3: [[listener]]: mode takes a text without white space",
        ),
    ],
)
def test_mistakes(text, complaint):
    assert problems(text) == [complaint]


def test_all_mistakes_are_collected():
    assert len(problems("x = 1\n[settings]\ny = 2\nz = 3\n[[plugin]]\n[[listener]]\n")) == 5


@pytest.mark.parametrize(
    ("data", "line", "text"),
    [
        (b"[settings\n", 1, "is no TOML: "),
        (b"a = 1\nb = \n", 2, "is no TOML: "),
        (b'[settings]\nme = "x', 2, "is no TOML: "),
        (b"a = 1\na = 2\n", 2, "is no TOML: Cannot overwrite a value"),
        (b"a = 1\n# b\xf6se", 2, "is not UTF-8; TOML has to be"),
    ],
)
def test_what_is_no_toml(data, line, text):
    with pytest.raises(ConfigError) as caught:
        toml.read("/etc/q.toml", data)
    assert caught.value.text.startswith(text)
    assert "at line" not in caught.value.text
    assert (caught.value.file, caught.value.line) == ("/etc/q.toml", line)


@settings(deadline=None)  # the machine may be busy
@given(st.binary())
def test_no_content_does_worse_than_a_configuration_error(data):
    files = []
    try:
        files += [problem.file for problem in toml.read("x", data).problems]
    except ConfigError as error:
        files.append(error.file)
    assert set(files) <= {"x"}


VALUE = st.recursive(
    st.none().map(lambda _: '""')
    | st.sampled_from(['"x"', "1", "-1", "true", "1.5", '"a b"', "1979-05-27", "inf"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda parts: f"[{', '.join(parts)}]")
        | inner.map(lambda part: f"{{ k = {part} }}")
    ),
    max_leaves=4,
)
KEY = st.sampled_from(["me", "rcpthosts", "morercpthosts", "listen", "plugins", "timeout", "zz"])


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(["", "[server]", "[settings]", "[[plugin]]", "[[listener]]"]), KEY, VALUE)
def test_no_value_does_worse_than_a_problem(header, key, value):
    document = read(f"{header}\n{key} = {value}\n")
    assert all(problem.text for problem in document.problems)
