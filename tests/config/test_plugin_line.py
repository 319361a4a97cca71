"""Lines of plugins."""

import pytest

from qpsmtpd.config.control import Content
from qpsmtpd.config.plugin_line import plugin_lines
from qpsmtpd.errors import ConfigError


def lines(*texts):
    content = Content()
    for number, text in enumerate(texts, 1):
        content.add(text, "/etc/plugins", number)
    return plugin_lines(content)


def test_words_are_cut_at_white_space():
    found = lines("rcpt_ok", "dnsbl  reject naughty\treject_type disconnect")
    assert found[0] == ("rcpt_ok", [], "/etc/plugins", 1)
    assert found[1].name == "dnsbl"
    assert found[1].args == ["reject", "naughty", "reject_type", "disconnect"]
    assert found[1].line == 2


@pytest.mark.parametrize("text", ["höher", "a\x1bb", "a \x7f", "\xa0"])
def test_unsafe_characters_are_refused(text):
    with pytest.raises(ConfigError, match=r"^/etc/plugins:2: unsafe character '.*' in a plugin"):
        lines("fine", text)


def test_words_that_are_known_apart_stay_so():
    content = Content()
    content.add("x a b", "t", 3)
    content.words = [["x", "a b"]]
    assert plugin_lines(content) == [("x", ["a b"], "t", 3)]
