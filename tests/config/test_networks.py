"""Sets of client addresses."""

import ipaddress

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qpsmtpd.config.networks import Networks


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.", "192.0.2.255", "192.0.3.0"),
        ("192.", "192.255.0.1", "193.0.0.1"),
        ("192.0.2.0/25", "192.0.2.127", "192.0.2.128"),
        ("192.0.2.77/24", "192.0.2.1", "192.0.3.1"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("2001:db8::1", "2001:DB8:0::1", "2001:db8::2"),
        ("2001:db8:", "2001:db8:ffff::1", "2001:db9::"),
        ("a:b:c:", "a:b:c::1", "a:b:d::1"),
        ("2001:db8:1:2:3:4:5:", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:6:6"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("fe80::/10", "fe80::1%eth0", "fec0::1"),
        ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
        ("192.0.2.0/24", "::ffff:192.0.2.9", "::192.0.2.9"),
        ("unix", "", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", ""),
        ("192.0.2.1", "192.0.2.1", "not an address"),
    ],
)
def test_membership(entry, inside, outside):
    networks = Networks([entry])
    assert inside in networks
    assert outside not in networks


@pytest.mark.parametrize(
    "entry",
    [
        *("", "x", "192.0.2", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/", "192.0.2.1/+4"),
        *(".", "1.2.3.4.", "::1/129", "2001:db8::/x", "::ffff:192.0.2.0/95", "gg:"),
        *(
            "192.0.2.1\0",
            "::ffff:",
            "1:2:3:4:5:6:7:8:",
            "localhost",
            "\N{ARABIC-INDIC DIGIT ONE}.2.3.4",
            "1.2.3.4/\N{ARABIC-INDIC DIGIT TWO}",
        ),
    ],
)
def test_what_is_no_network(entry):
    with pytest.raises(ValueError, match="is no address or network; write"):
        Networks([entry])


def test_as_a_collection():
    networks = Networks(["192.0.2.1", "unix"])
    assert list(networks) == ["192.0.2.1", "unix"]
    assert len(networks) == 2
    assert networks == Networks(("192.0.2.1", "unix"))
    assert networks != Networks()
    assert networks != ["192.0.2.1", "unix"]
    assert hash(networks) == hash(Networks(("192.0.2.1", "unix")))
    assert repr(networks) == "Networks(['192.0.2.1', 'unix'])"
    assert not Networks()
    assert "192.0.2.1" not in Networks()
    assert 3 not in networks


@settings(deadline=None)  # the machine may be busy
@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 128))
def test_networks_are_those_of_the_standard_library(first, second, bits):
    assume({getattr(address, "ipv4_mapped", None) for address in (first, second)} == {None})
    network = ipaddress.ip_network((first, min(bits, first.max_prefixlen)), strict=False)
    assert (str(second) in Networks([str(network)])) == (second in network)
    assert str(first) in Networks([f"{first}/{network.prefixlen}"])


@settings(deadline=None)  # the machine may be busy
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_mapped_networks_are_ipv4(first, second, bits):
    plain, mapped = Networks([f"{first}/{bits}"]), Networks([f"::ffff:{first}/{bits + 96}"])
    for address in (f"{second}", f"::ffff:{second}"):
        assert (address in plain) == (address in mapped)
