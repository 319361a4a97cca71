import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin.names import read_name, registered_name


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("rcpt_ok", "rcpt_ok"),
        ("queue/qmail-queue", "queue::qmail_2dqueue"),
        ("ident/p0f:2", "ident::p0f_3a2"),
        ("auth/auth_flat_file", "auth::auth_flat_file"),
        ("relay:0", "relay_3a0"),
        ("dir/0spam", "dir::_30spam"),
        ("a//b", "a::b"),
        ("my.package:Class", "my_2epackage_3aClass"),
        ("ä", "_c3_a4"),
        ("\x01", "_01"),
    ],
)
def test_registered_names(name, registered):
    assert registered_name(name) == registered


@given(st.text())
def test_registered_names_are_words_of_the_log(name):
    registered = registered_name(name)
    assert re.fullmatch(r"(?:[A-Za-z0-9_]|::)*", registered)
    assert "::_3" in registered or not re.search(r"::[0-9]", registered)


@given(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True))
def test_plain_names_are_kept(name):
    assert registered_name(name) == name.replace("/", "::")


@given(st.text(st.sampled_from("abz-./09é€ "), min_size=1))
def test_what_a_name_was_can_be_told(name):
    undone = re.sub(
        "((?:_[0-9a-f]{2})+)",
        lambda found: bytes.fromhex(found[1].replace("_", "")).decode(),
        registered_name(name),
    )
    assert undone.replace("::", "/") == re.sub("/+", "/", name)


@pytest.mark.parametrize(
    ("text", "path", "module", "attribute"),
    [
        ("rcpt_ok", "rcpt_ok", "", ""),
        ("ident/p0f:2", "ident/p0f", "", ""),
        ("my.package:Class", "", "my.package", "Class"),
        ("mine:Class", "", "mine", "Class"),
        ("mine:Class:2", "", "mine", "Class"),
    ],
)
def test_forms(text, path, module, attribute):
    name = read_name(text)
    assert (name.path, name.module, name.attribute) == (path, module, attribute)
    assert name.registered == registered_name(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Acme::Spam", "write acme:Spam, for a plugin file Acme/Spam"),
        ("queue::qmail_2dqueue", "for a plugin file queue/qmail-queue"),
        ("../evil", "no name below a plugin directory"),
        ("/etc/plugin", "plugin_dirs"),
        ("a//b", "no name below"),
        ("./a", "no name below"),
        ("", "no name below"),
        ("naïve", "unsafe characters in plugin name"),
        ("a\x00b", "unsafe characters in plugin name"),
    ],
)
def test_what_is_no_name(text, problem):
    with pytest.raises(ConfigError, match=problem):
        read_name(text)
