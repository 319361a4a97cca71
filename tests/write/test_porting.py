"""What docs/write/porting.md shows."""

from pathlib import Path

import pytest


@pytest.fixture
def server(smtpd):
    smtpd.plugin_dirs.append(str(Path(__file__).parent / "plugins"))
    smtpd.config(badsenders=["spammer@example.com"])
    return smtpd


def test_the_ported_plugin(server):
    server.load("check_sender")
    with server.connect() as client:
        client.ehlo()
        assert client.mail("Spammer@example.com") == (550, "spammer@example.com is not welcome")
        assert client.mail("other@example.com") == 250
        assert client.mail("") == 250
    assert server.log.logged("pass", plugin="check_sender")


def test_case_counts_if_the_line_says_so(server):
    server.load("check_sender ignore_case=0")
    with server.connect() as client:
        client.ehlo()
        assert client.mail("Spammer@example.com") == 250
        assert client.mail("spammer@example.com") == 550
