"""What docs/write/first-plugin.md shows."""

from pathlib import Path

import pytest

PLUGINS = str(Path(__file__).parent / "plugins")


# docs: begin test
def test_whoever_has_left_is_refused(smtpd):
    smtpd.plugin_dirs.append(PLUGINS)
    smtpd.load("former_staff names=alice contact=hello", "rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])

    with smtpd.connect() as client:
        client.ehlo()
        client.mail("sender@example.net")
        assert client.rcpt("alice@example.org") == (
            550,
            "alice has left, please write to hello@example.org",
        )
        assert client.rcpt("carol@example.org") == 250


# docs: end test


@pytest.mark.parametrize("name", ["former_staff", "former_staff_module"])
def test_both_forms_do_the_same(smtpd, name):
    smtpd.plugin_dirs.append(PLUGINS)
    smtpd.load(f"{name} names=alice names=bob", "rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])
    with smtpd.connect() as client:
        assert client.deliver("Bob@example.org") == 550
        assert client.deliver("carol@example.org") == 250
    assert smtpd.results("rcpt")[:2] == [(name, 901), (name, 909)]
