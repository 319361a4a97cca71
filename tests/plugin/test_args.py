from typing import TYPE_CHECKING, ClassVar, Literal

import pytest

from qpsmtpd.constants import DECLINED, DENYSOFT
from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin.args import closest, declare
from qpsmtpd.plugin.quantity import Duration

if TYPE_CHECKING:
    from decimal import Decimal


class Greylisting:
    delay: Duration = Duration("50m")
    window: Duration = "3h"  # read like a word
    per_domain: bool = False
    mode: Literal["on", "test"] = "on"
    zones: list[str]
    limit: int | None = None


class Forward:
    positional: ClassVar = ("host", "port")
    aliases: ClassVar = {"server": "host", "secure": "port 465", "x_client": "xclient"}
    host: str
    port: int = 25
    xclient: bool = False


class File:
    rest = "path"
    path: str
    reopen: bool = False
    nosplit: bool = False
    level: int = 4


def args(cls, line):
    return declare(cls).parse(line.split()).args


def warnings(cls, line):
    return declare(cls).parse(line.split()).warnings


def test_defaults():
    parsed = args(Greylisting, "")
    assert (parsed.delay, parsed.window, parsed.mode) == (3000, 10800, "on")
    assert (parsed.zones, parsed.limit, parsed.per_domain) == ([], None, False)


@pytest.mark.parametrize(
    "line",
    [
        "delay 60 mode test limit 3",
        "delay=60 mode=test limit=3",
        "limit 3 delay=1m mode test",
    ],
)
def test_keys_and_values(line):
    parsed = args(Greylisting, line)
    assert (parsed.delay, parsed.mode, parsed.limit) == (60, "test", 3)


def test_a_list_is_a_repeated_key_and_no_two_lines_share_it():
    assert args(Greylisting, "zones a zones=b").zones == ["a", "b"]
    args(Greylisting, "").zones.append("x")
    assert args(Greylisting, "").zones == []


def test_dashes_in_keys_are_underscores():
    assert args(Greylisting, "per-domain").per_domain is True


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("per_domain", True),
        ("per_domain 1 delay 60", True),
        ("per_domain delay 60", True),
        ("per_domain no", False),
        ("per_domain=off", False),
    ],
)
def test_a_flag_needs_no_value(line, value):
    assert args(Greylisting, line).per_domain is value


def test_a_flag_with_a_value_that_is_none():
    with pytest.raises(ConfigError, match="per_domain: 'maybe' is neither yes nor no"):
        args(Greylisting, "per_domain maybe")


@pytest.mark.parametrize(
    ("line", "host", "port", "xclient"),
    [
        ("mx.example.org", "mx.example.org", 25, False),
        ("mx.example.org 2525", "mx.example.org", 2525, False),
        ("mx.example.org 2525 xclient", "mx.example.org", 2525, True),
        ("xclient mx.example.org 2525", "mx.example.org", 2525, True),
        ("port 2525 mx.example.org", "mx.example.org", 2525, False),
        ("host=mx.example.org 2525", "mx.example.org", 2525, False),
        ("server mx.example.org", "mx.example.org", 25, False),
        ("mx.example.org secure", "mx.example.org", 465, False),
        ("mx.example.org x-client", "mx.example.org", 25, True),
    ],
)
def test_positions_keys_and_aliases(line, host, port, xclient):
    parsed = args(Forward, line)
    assert (parsed.host, parsed.port, parsed.xclient) == (host, port, xclient)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("/var/log/mail", "/var/log/mail"),
        ("level 6 reopen /var/log/qpsmtpd log", "/var/log/qpsmtpd log"),
        ("nosplit |exec logger -t level 6", "|exec logger -t level 6"),
        ("/log/a=b", "/log/a=b"),
    ],
)
def test_the_rest_of_the_line(line, path):
    assert args(File, line).path == path


def test_a_positional_list_takes_all_further_words():
    class Args:
        positional = ("path", "flags")
        path: str
        flags: list[str]

    parsed = args(Args, "/socket FLAG_HOLD FLAG_DISCARD timeout 3")
    assert (parsed.path, parsed.flags) == ("/socket", ["FLAG_HOLD", "FLAG_DISCARD"])


def test_fields_of_a_base_class_come_first():
    class Child(Forward):
        deep: bool = False

    assert list(declare(Child).fields) == ["host", "port", "xclient", "deep"]
    assert args(Child, "mx.example.org deep").host == "mx.example.org"


@pytest.mark.parametrize(
    ("cls", "line", "problem"),
    [
        (Forward, "", "argument host is missing: text"),
        (Forward, "mx 25x", "argument port: '25x' is no whole number"),
        (Greylisting, "delay", "argument delay has no value: a length of time such as 50m"),
        (Greylisting, "delay soon", "argument delay: 'soon' is no length of time; write seconds"),
        (Greylisting, "mode off", "argument mode: 'off' is not one of on, test"),
        (Greylisting, "timeout never", "argument timeout: 'never' is no length of time"),
        (Greylisting, "on_error ok", "argument on_error: 'ok' cannot stand for a failure"),
        (Greylisting, "on_error what", "argument on_error: 'what' is no result"),
    ],
)
def test_problems(cls, line, problem):
    with pytest.raises(ConfigError, match=problem):
        args(cls, line)


@pytest.mark.parametrize(
    ("cls", "line", "warning"),
    [
        (
            Greylisting,
            "dealy 60",
            "unknown argument 'dealy' with value '60' is ignored; did you mean delay?",
        ),
        (Greylisting, "dealy=60", "unknown argument 'dealy' is ignored; did you mean delay?"),
        (
            Greylisting,
            "rejct delay 60",
            "unknown argument 'rejct' is ignored; did you mean reject?",
        ),
        (Greylisting, "delay 1 delay 2", "argument delay is given twice; the last one counts"),
        (Forward, "prot=3 mx", "unknown argument 'prot' is ignored; did you mean port?"),
    ],
)
def test_warnings(cls, line, warning):
    assert warnings(cls, line) == [warning]


def test_a_word_like_nothing_known_lists_what_is():
    (warning,) = warnings(Greylisting, "xyzzy")
    assert warning.startswith("unknown argument 'xyzzy' is ignored; known are reject, ")
    assert "delay" in warning


def test_a_value_of_a_position_may_contain_an_equals_sign():
    assert args(Forward, "x=y").host == "x=y"


def test_generic_arguments():
    line = "reject naughty reject_type temp loglevel +1 timeout 5s on_error denysoft offload"
    parsed = declare(None).parse(line.split())
    assert parsed.generic == {
        "reject": "naughty",
        "reject_type": "temp",
        "loglevel": "+1",
        "timeout": 5,
        "on_error": DENYSOFT,
        "offload": True,
    }
    assert parsed.warnings == []


def test_generic_defaults():
    generic = declare(None).parse([]).generic
    assert generic["on_error"] is DECLINED
    assert generic["offload"] is False
    assert {generic[name] for name in ("reject", "reject_type", "loglevel", "timeout")} == {None}


def test_a_field_may_give_a_generic_argument_another_type():
    class Args:
        reject: float = 12.0

    parsed = declare(Args).parse(["reject", "20"])
    assert (parsed.args.reject, parsed.generic["reject"]) == (20.0, 20.0)
    assert declare(Args).parse([]).generic["reject"] == 12.0


def test_values_that_do_not_go_together():
    class Args:
        low: int = 1
        high: int = 2

        def check(self):
            if self.low > self.high:
                raise ValueError(f"low {self.low} is above high {self.high}")

    assert args(Args, "low 2").low == 2
    with pytest.raises(ConfigError, match="low 3 is above high 2"):
        args(Args, "low 3")


def test_arguments_cannot_be_changed():
    parsed = args(Greylisting, "")
    with pytest.raises(AttributeError, match="delay cannot be set: arguments say what"):
        parsed.delay = 1
    with pytest.raises(AttributeError, match="cannot be set"):
        del parsed.delay
    assert isinstance(parsed, Greylisting)


def test_a_converter_may_raise_what_it_likes():
    class Odd:
        def __init__(self, word):
            raise ZeroDivisionError

    class Args:
        odd: Odd

    with pytest.raises(ConfigError, match="argument odd: 'x' is not a Odd"):
        args(Args, "x")


class Unreadable:
    table: dict[str, int]


class Later:
    amount: "Decimal"


class Wrong:
    delay: Duration = "soon"


class Nowhere:
    positional = ("host",)


class Lost:
    rest = "path"


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (Unreadable, "field table of Args: .* cannot be read from a line"),
        (Later, "name 'Decimal' is not defined; import it outside TYPE_CHECKING"),
        (Wrong, "field delay of Args: 'soon' is no length of time"),
        (Nowhere, "Args has no field 'host'"),
        (Lost, "Args has no field 'path'"),
    ],
)
def test_declarations_that_cannot_work(cls, problem):
    with pytest.raises(TypeError, match=problem):
        declare(cls)


def test_a_declaration_is_made_once():
    assert declare(Forward) is declare(Forward)
    assert declare(Forward).positional == ("host", "port")
    assert declare(File).positional == ("path",)


def test_closest():
    assert closest("dnsbll", ["dnsbl", "relay"]) == "; did you mean dnsbl?"
    assert closest("xyzzy", ["dnsbl", "relay"]) == ""
