"""Values by type."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpsmtpd.config import SETTINGS, Setting, Type
from qpsmtpd.config.control import Content
from qpsmtpd.config.networks import Networks
from qpsmtpd.config.value import duration, flag, number, pairs, read, size
from qpsmtpd.constants import LogLevel
from qpsmtpd.errors import ConfigError
from qpsmtpd.services.dns.resolvconf import from_settings


def value(setting, *texts):
    content = Content()
    for line, text in enumerate(texts, 1):
        content.add(text, "/etc/f", line)
    if isinstance(setting, Type):
        setting = Setting("x", setting, None, "")
    return read(setting, content)


@pytest.mark.parametrize("text", ["1", "yes", "Yes", "TRUE", "on"])
def test_yes(text):
    assert flag(text) is True


@pytest.mark.parametrize("text", ["0", "no", "False", "off"])
def test_no(text):
    assert flag(text) is False


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        *(("0", 0), ("1000", 1000), ("10k", 10240), ("50M", 50 << 20), ("2G", 2 << 30)),
        *(("1T", 1 << 40), ("1.5K", 1536), ("64 KiB", 65536), ("10KB", 10240), ("7b", 7)),
    ],
)
def test_sizes(text, octets):
    assert size(text) == octets
    assert value(Type.SIZE, text) == octets


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0), ("1200", 1200), ("0.5", 0.5), ("20m", 1200), ("1h", 3600), ("2d", 172800)),
        *(("1w", 604800), ("50ms", 0.05), ("1h30m", 5400), ("1h 30m", 5400), ("90 S", 90)),
    ],
)
def test_durations(text, seconds):
    assert duration(text) == pytest.approx(seconds)
    assert value(Type.DURATION, text) == pytest.approx(seconds)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 10**9), st.sampled_from(["", "k", "M", "g", "T"]))
def test_whole_sizes_are_exact(count, unit):
    power = ["", "k", "m", "g", "t"].index(unit.lower())
    assert size(f"{count}{unit}") == count * 1024**power


@pytest.mark.parametrize(
    ("setting", "text", "complaint"),
    [
        (Type.FLAG, "maybe", "'maybe' is neither 1 .yes. nor 0 .no."),
        (Type.FLAG, "2", "'2' is neither"),
        (Type.NUMBER, "-1", "'-1' is no number; write digits only"),
        (Type.NUMBER, "1e3", "is no number"),
        (Type.NUMBER, "٣", "is no number"),
        (Type.NUMBER, "9" * 5000, "is no number"),
        (Type.SIZE, "lots", "'lots' is no size; write octets, or 500K, 50M, 2G"),
        (Type.SIZE, "50 MM", "is no size"),
        (Type.SIZE, "-5", "is no size"),
        (Type.DURATION, "soon", "'soon' is no length of time; write seconds, or 50ms, 20m"),
        (Type.DURATION, "5m x", "is no length of time"),
        (Type.DURATION, "1h30", "is no length of time"),
        (Type.LEVEL, "LOUD", "'LOUD' is no log level; write 0 to 7, or LOGWARN"),
        (Type.LEVEL, "8", "is no log level"),
        (Type.MODE, "rwx", "'rwx' are no permissions; write them in octal, as 0700"),
        (Type.MODE, "0800", "are no permissions"),
        (Type.MODE, "17777", "are no permissions"),
        (Type.MODE, "-1", "are no permissions"),
        (Type.LINE, "a\x1b[2J", r"'a\\x1b\[2J' holds a character that cannot be shown"),
        (SETTINGS["bare_newline"], "keep", "'keep' is unknown; write reject or normalize or acc"),
        (SETTINGS["max_line"], "100", "100 is too small; 512 is the least"),
        (SETTINGS["ipv6_prefix"], "129", "129 is too large; 128 is the most"),
    ],
)
def test_what_cannot_be_read(setting, text, complaint):
    with pytest.raises(ConfigError, match=rf"^/etc/f:1: \w+: .*{complaint}"):
        value(setting, text)


def test_scalars_go_by_the_first_line():
    assert value(Type.LINE, "a\tb", "c") == "a\tb"
    assert value(Type.PATH, "/x y") == "/x y"
    assert value(Type.FLAG, "yes", "no") is True
    assert value(SETTINGS["bare_newline"], "accept") == "accept"
    assert value(SETTINGS["max_line"], "512") == 512
    assert value(SETTINGS["ipv6_prefix"], "128") == 128


def test_levels_and_modes():
    assert value(Type.LEVEL, "7") is LogLevel.LOGDEBUG
    assert value(Type.LEVEL, "LOGWARN") is LogLevel.LOGWARN
    assert value(Type.LEVEL, "radar") is LogLevel.LOGEMERG
    assert value(Type.MODE, "0700") == 0o700
    assert value(Type.MODE, "750") == 0o750


def test_lines_are_handed_over_as_they_are():
    assert value(Type.LINES, "a", "b\x01") == ["a", "b\x01"]
    assert value(Type.FILES, "a") == ["a"]


def test_addresses():
    assert value(Type.ADDRESSES, "127.0.0.1", "unix") == Networks(["127.0.0.1", "unix"])
    with pytest.raises(ConfigError, match=r"^/etc/f:2: '300.1.1.1' is no address or network"):
        value(Type.ADDRESSES, "127.0.0.1", "300.1.1.1")


@pytest.mark.parametrize(
    "text",
    [
        *("[::]:25", "127.0.0.1:2525", "unix:/run/q/smtp", "[::]:465 proxy", "localhost", "[::1]"),
        *("0.0.0.0:24 lmtp proxy", "systemd", "systemd:smtp proxy", "unix:/x mode=0660 name=in"),
        *("[fe80::1%eth0]:25 v6only", "mx.example.org:587"),
    ],
)
def test_listeners(text):
    assert value(Type.LISTENERS, text) == [text]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("::1", "cannot read the address '::1'; write host:port, \\[ipv6\\]:port or unix:/path"),
        ("[::]:25x", "cannot read the address"),
        ("host:65536", "cannot read the address"),
        ("host:", "cannot read the address"),
        ("unix:relative", "cannot read the address"),
        ("\xa0", "cannot read the address"),
        ("[::]:25 lmpt", "unknown option 'lmpt' of a listener .did you mean lmtp.."),
        ("[::]:25 lmtp=1", "option 'lmtp=1' of a listener is written lmtp$"),
        ("[::]:25 lmtp=", "option 'lmtp=' of a listener is written lmtp$"),
        ("unix:/x mode", "option 'mode' of a listener is written mode=…"),
        ("unix:/x mode=", "option 'mode=' of a listener is written mode=…"),
    ],
)
def test_what_is_no_listener(text, complaint):
    with pytest.raises(ConfigError, match=rf"^/etc/f:2: {complaint}"):
        value(Type.LISTENERS, "[::]:25", text)


@pytest.mark.parametrize(
    "text", ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "[::1]", "::1"]
)
def test_dns_servers(text):
    assert value(Type.SERVERS, text) == [text]
    assert from_settings([text])


@pytest.mark.parametrize(
    "text", ["ns.example.org", "192.0.2.0/24", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536"]
)
def test_what_is_no_dns_server(text):
    with pytest.raises(ConfigError, match=rf"^/etc/f:2: '{text}' is no DNS server; write an IP"):
        value(Type.SERVERS, "127.0.0.1", text)


@pytest.mark.parametrize("text", ["[::1", "[::1]:x", "[]", ":53"])
def test_brackets_around_what_is_no_dns_server(text):
    with pytest.raises(ConfigError, match="is no DNS server"):
        value(Type.SERVERS, text)


def test_words():
    setting = SETTINGS["disable_extensions"]
    assert value(setting, "chunking", "DSN") == ["chunking", "DSN"]
    with pytest.raises(ConfigError, match=r"^/etc/f:2: disable_\w+: 'XYZ' is none of PIPE"):
        value(setting, "DSN", "XYZ")


def test_maps():
    expected = {"a": "", "b": "two words", "::1": "x"}
    assert pairs(["a", "b  two words ", "::1\tx", "a again"]) == expected
    assert value(Type.MAP, "a", "b two words", "::1 x") == expected


def test_plugins():
    assert value(Type.PLUGINS, "rcpt_ok", "relay only 1")[1].args == ["only", "1"]


def test_numbers():
    assert number("0012") == 12
