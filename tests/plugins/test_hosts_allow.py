from types import SimpleNamespace

import pytest

from qpsmtpd.constants import DECLINED, DENY, DENYSOFT


def client(remote_ip="192.0.2.1", *, most=0, others=0, **notes):
    return SimpleNamespace(
        remote_ip=remote_ip, max_conn_ip=most, connections_from_ip=others, notes=notes
    )


@pytest.fixture
def hosts_allow(load):
    return load("hosts_allow")


def test_the_connection_itself_counts_towards_the_limit(hosts_allow):
    assert hosts_allow.hook_pre_connection(client(most=5, others=4)) is DECLINED
    assert hosts_allow.hook_pre_connection(client(most=5, others=5)) == (
        DENYSOFT,
        "too many connections from 192.0.2.1, try again later",
    )


def test_a_limit_of_zero_is_none(hosts_allow):
    assert hosts_allow.hook_pre_connection(client(others=1000)) is DECLINED


@pytest.mark.parametrize(
    ("history", "most"), [(6, 8), (5, 5), (0, 5), (-1, 1)], ids=["good", "fair", "unknown", "bad"]
)
def test_karma_changes_the_limit(hosts_allow, history, most):
    assert hosts_allow.limit(client(most=5, karma_history=history)) == most
    assert hosts_allow.limit(client(most=0, karma_history=history)) == 0


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("192.0.2.1", (DENY, "we know you")),
        ("192.0.2.2", (DENYSOFT, "Sorry, try again later")),
        ("192.0.2.0", (DENYSOFT, "Sorry, try again later")),
        ("192.0.2.255", (DENYSOFT, "Sorry, try again later")),
        ("192.0.3.0", DECLINED),
        ("198.51.100.7", DECLINED),
        ("198.51.100.8", (DENY, "Sorry, service not available for you")),
        ("2001:db8::1", DECLINED),
        ("2001:db8:1::1", (DENY, "Sorry, service not available for you")),
        ("fe80::1%eth0", (DENY, "link")),
        ("203.0.113.1", (DENY, "mapped")),
        ("", DECLINED),
    ],
)
def test_the_first_line_that_matches_decides(hosts_allow, config, address, answer):
    config.set(
        "hosts_allow",
        "192.0.2.1 DENY we know you",
        "192.0.2.0/24 DENYSOFT",
        "192.0.2.1 DECLINED",
        "198.51.100.7/32 DECLINED",
        "198.51.100.0/24 DENY",
        "2001:DB8:0::/48 DECLINED",
        "2001:db8::/32 DENY",
        "fe80::/10 DENY link",
        "::ffff:203.0.113.1 DENY mapped",
    )
    assert hosts_allow.hook_pre_connection(client(address)) == answer


def test_everybody_is_a_network_of_no_bits(hosts_allow, config):
    config.set("hosts_allow", "192.0.2.7 DECLINED", "0.0.0.0/0 DENY", "::/0 DENY")
    assert hosts_allow.hook_pre_connection(client("192.0.2.7")) is DECLINED
    assert hosts_allow.hook_pre_connection(client("203.0.113.9"))[0] is DENY
    assert hosts_allow.hook_pre_connection(client("2001:db8::9"))[0] is DENY


def test_an_edit_counts_for_the_next_client(hosts_allow, config):
    config.set("hosts_allow", "192.0.2.1 DENY")
    assert hosts_allow.hook_pre_connection(client())[0] is DENY
    config.set("hosts_allow")
    assert hosts_allow.hook_pre_connection(client()) is DECLINED


@pytest.mark.parametrize(
    "line",
    [
        "example.org DENY",
        "192.0.2.0/33 DENY",
        "192.0.2.0/x DENY",
        "2001:db8::/129 DENY",
        "192.0.2.0/24 REFUSE",
        "192.0.2.0/24",
    ],
)
def test_a_line_that_cannot_be_read_is_skipped_and_named(hosts_allow, config, log, line):
    config.set("hosts_allow", line, "192.0.2.0/24 DENY second")
    assert hosts_allow.hook_pre_connection(client()) == (DENY, "second")
    assert any(line in text for text in log.texts(3))


def test_bits_outside_the_mask_are_named_and_ignored(hosts_allow, config, log):
    config.set("hosts_allow", "192.0.2.77/24 DENY")
    assert hosts_allow.hook_pre_connection(client())[0] is DENY
    assert any("192.0.2.77/24" in text for text in log.texts(4))


def test_lines_are_read_once(hosts_allow, config, log):
    config.set("hosts_allow", "nonsense")
    for _ in range(3):
        hosts_allow.hook_pre_connection(client())
    assert len(log.texts(3)) == 1
