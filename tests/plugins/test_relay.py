import pytest

from qpsmtpd.constants import DENY, OK

SAMPLE = (
    "127.0.0.1",
    "192.0.",
    "2001:0DB8",
    "2001:0DB8:0000:0000:0000:0000:0000:0001",
    "2001:DB8::1",
    "2001:DB8::1/32",
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("RELAYCLIENT", raising=False)


@pytest.fixture
def relays(load, connect):
    plugin = load("relay")

    def relays(address, *, before=False):
        connection = connect(address)
        connection.relay_client = before
        plugin.hook_connect(connection)
        return connection.relay_client

    return relays


@pytest.mark.parametrize(
    ("line", "inside", "outside"),
    [
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.10", "192.0.2.2", "2001:db8::1"]),
        ("::ffff:192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2", "::1:1"]),
        ("192.0.2.1/32", ["192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
        ("192.0.2.2/31", ["192.0.2.2", "192.0.2.3"], ["192.0.2.1", "192.0.2.4"]),
        ("192.0.1.0/24", ["192.0.1.0", "192.0.1.1", "192.0.1.255"], ["192.0.0.255", "192.0.2.0"]),
        ("192.0.0.0/24", ["192.0.0.7"], ["192.0.1.1"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::2"]),
        ("192.168.", ["192.168.0.0", "192.168.255.255"], ["192.169.0.0", "19.2.168.1"]),
        ("192.", ["192.51.1.1"], ["193.0.0.0"]),
        ("192.0.98.", ["192.0.98.1", "192.0.98.255"], ["192.0.99.7", "192.0.109.7"]),
        ("2001:DB8::1", ["2001:db8::1", "2001:0DB8:0:0::1"], ["2001:db8::2"]),
        ("2001:db8:0:0:0:0:0:1", ["2001:db8::1"], ["2001:db8::1:1"]),
        ("2001:db8:", ["2001:db8::1", "2001:db8:ffff::"], ["2001:db9::"]),
        ("2001:0DB8", ["2001:db8::1"], ["2001:db80::1", "2001:db9::1"]),
        (
            "2001:db8::/32",
            ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
            ["2001:db9::"],
        ),
        ("2001:DB8::1/32", ["2001:db8:1::"], ["2001:db7::"]),
        ("2001:db8::1/128", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]),
        (
            "fdda:b13d:e431:ae06::/64",
            ["fdda:b13d:e431:ae06:00a1::", "fdda:b13d:e431:ae06::"],
            ["fdda:b13d:e431:be17::", "fdda:b13d:e431:ae07::"],
        ),
    ],
)
def test_an_entry_of_relayclients(relays, config, line, inside, outside):
    config.set("relayclients", line)
    assert [address for address in inside if not relays(address)] == []
    assert [address for address in outside if relays(address)] == []


def test_the_sample_file(relays, config):
    config.set("relayclients", *SAMPLE)
    assert [relays(one) for one in ("127.0.0.1", "192.0.1.1", "2001:db8:5::9")] == [True] * 3
    assert [relays(one) for one in ("127.0.0.2", "192.51.1.1", "203.0.113.0")] == [False] * 3


@pytest.mark.parametrize(
    "line",
    [
        *("192.168", "192.256.", "192.0.2.1.", "..", ".", "example.org", "192.0.2.0/33"),
        *("192.0.2.0/-1", "192.0.2.0/", "2001:db8::/129", "2001::db8:", "2001:db8::zz", "12345:"),
        *("1:2:3:4:5:6:7:8:9", "/8", "abc", "²."),
    ],
)
def test_an_entry_that_means_nothing_is_skipped_and_named(relays, config, log, line):
    config.set("relayclients", line, "198.51.100.1")
    assert relays("192.168.0.1") is False
    assert relays("2001:db8::1") is False
    assert relays("198.51.100.1") is True
    assert [text for text in log.texts(3) if repr(line) in text] != []


def test_bits_outside_the_mask_are_named(relays, config, log):
    config.set("relayclients", "192.0.2.77/24")
    assert relays("192.0.2.1") is True
    assert any("192.0.2.77/24" in text for text in log.texts(4))


def test_this_host_by_ipv6_relays_by_ipv4_it_has_to_be_listed(relays):
    assert relays("::1") is True
    assert relays("127.0.0.1") is False


@pytest.mark.parametrize("value", ["", "1", "@example.org"])
def test_the_environment_makes_a_relay_client(relays, monkeypatch, value):
    monkeypatch.setenv("RELAYCLIENT", value)
    assert relays("203.0.113.1") is True


def test_norelayclients_comes_before_everything(relays, config, monkeypatch):
    config.set("norelayclients", "192.0.99.5", "192.0.99.6", "192.0.98.", "::1")
    config.set("relayclients", "0.0.0.0/0")
    monkeypatch.setenv("RELAYCLIENT", "")
    listed = ["192.0.99.5", "192.0.98.1", "192.0.98.255", "::1"]
    assert [relays(address, before=True) for address in listed] == [False] * 4
    assert [relays(address) for address in ("192.0.99.7", "192.0.109.7")] == [True] * 2


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.", "192.0.2.9", "192.0.3.9"),
        ("192.", "192.9.9.9", "193.9.9.9"),
        ("2001:db8::1", "2001:0db8:0::1", "2001:db8::2"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", "2001:db8::2"),
        ("2001:0db8:", "2001:db8:7::1", "2001:db9::1"),
    ],
)
def test_an_entry_of_the_map(relays, config, key, inside, outside):
    config.maps["morerelayclients"] = {key: ""}
    assert relays(inside) is True
    assert relays(outside) is False


def test_a_client_without_an_address_is_no_relay_client(relays, config):
    config.set("relayclients", "0.0.0.0/0", "::/0")
    config.maps["morerelayclients"] = {"": ""}
    assert relays("") is False


def test_an_edit_counts_for_the_next_client_and_nothing_piles_up(load, connect, config, log):
    plugin = load("relay")
    config.set("relayclients", "192.0.2.0/24", "nonsense")
    for _ in range(3):
        connection = connect("192.0.2.1")
        plugin.hook_connect(connection)
        assert connection.relay_client
    assert len(log.texts(3)) == 1
    config.set("relayclients", "198.51.100.0/24")
    connection = connect("192.0.2.1")
    plugin.hook_connect(connection)
    assert not connection.relay_client
    assert len(plugin.tables) == 2


def test_only_relay_clients_may_send(load, begin):
    plugin = load("relay only 1")
    transaction = begin()
    assert plugin.relay_only(transaction, None, {}) == (DENY, "relaying denied")
    transaction.connection.relay_client = True
    assert plugin.relay_only(transaction, None, {}) is OK


@pytest.mark.parametrize(
    ("line", "hooks"),
    [("relay", ["connect"]), ("relay only 0", ["connect"]), ("relay only 1", ["connect", "rcpt"])],
)
def test_the_hooks_it_takes_part_in(load, line, hooks):
    assert [one.hook.name for one in load(line).handlers()] == hooks
