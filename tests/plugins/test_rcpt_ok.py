import pytest

from qpsmtpd.address import Address
from qpsmtpd.constants import DENY, OK

DENIED = (DENY, "Relaying denied (#5.7.1)")


@pytest.fixture
def ask(load, begin):
    plugin, transaction = load("rcpt_ok"), begin()

    def ask(user, host):
        return plugin.hook_rcpt(transaction, Address(user, host), {})

    ask.transaction = transaction
    return ask


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", OK),
        ("LocalHost", OK),
        ("example.org", OK),
        ("mx.example.org", OK),
        ("a.example.net", OK),
        ("a.b.Example.NET", OK),
        ("example.net", DENIED),
        ("badexample.net", DENIED),
        ("example.com", DENIED),
        ("sub.example.org", DENIED),
        ("xlocalhost", DENIED),
        ("", DENIED),
    ],
)
def test_which_domains_are_ours(ask, config, host, answer):
    config.set("rcpthosts", "localhost", "Example.org", ".example.net")
    assert ask("user", host) == answer


def test_an_empty_list_means_our_own_name_only(ask):
    assert ask("user", "mx.example.org") is OK
    assert ask("user", "example.com") == DENIED


@pytest.mark.parametrize("user", ["postmaster", "Postmaster", "abuse", "ABUSE"])
def test_every_host_has_a_postmaster(ask, user):
    assert ask(user, "") is OK


def test_nobody_else_goes_without_a_domain(ask):
    assert ask("root", "") == DENIED
    assert ask("", "") == DENIED


def test_the_map_has_whole_domains(ask, config):
    config.maps["morercpthosts"] = {"example.com": ""}
    assert ask("user", "Example.COM") is OK
    assert ask("user", "sub.example.com") == DENIED


@pytest.mark.parametrize("how", ["relay client", "whitelisted"])
def test_known_clients_may_send_anywhere(ask, how):
    connection = ask.transaction.connection
    if how == "relay client":
        connection.relay_client = True
    else:
        connection.notes["whitelisthost"] = "x"
    assert ask("user", "example.com") is OK


def test_an_edit_counts_for_the_next_recipient(ask, config):
    config.set("rcpthosts", "example.com")
    assert ask("user", "example.com") is OK
    config.set("rcpthosts")
    assert ask("user", "example.com") == DENIED
