import pytest

from qpsmtpd.errors import ConfigError
from qpsmtpd.services.dns.resolvconf import DEFAULT, Nameserver, from_settings, nameservers


def test_settings_name_servers_with_and_without_ports():
    texts = ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[::1]:5353"]
    assert from_settings(texts) == (
        Nameserver("192.0.2.1", 53),
        Nameserver("192.0.2.1", 5353),
        Nameserver("2001:db8::1", 53),
        Nameserver("2001:db8::1", 53),
        Nameserver("::1", 5353),
    )


@pytest.mark.parametrize("text", ["", "ns.example", "1.2.3", "192.0.2.1:x", "192.0.2.1:0", "[::1"])
def test_settings_that_are_no_address_are_errors(text):
    with pytest.raises(ConfigError, match="name server"):
        from_settings([text])


def test_the_systems_servers_are_the_first_three(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.99\nsearch example.org\noptions timeout:1\n"
        "nameserver 192.0.2.1\nnameserver nonsense\nnameserver\n"
        " nameserver fe80::1%eth0 # comment\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )
    assert nameservers(str(path)) == (
        Nameserver("192.0.2.1"),
        Nameserver("fe80::1%eth0"),
        Nameserver("192.0.2.3"),
    )


def test_without_any_the_server_is_this_host(tmp_path):
    empty = tmp_path / "resolv.conf"
    empty.write_bytes(b"\xff\n")
    assert nameservers(str(empty)) == (DEFAULT,)
    assert nameservers(str(tmp_path / "missing")) == (DEFAULT,)


def test_servers_are_written_as_they_are_read():
    for text in ["192.0.2.1:53", "[2001:db8::1]:5353"]:
        assert str(from_settings([text])[0]) == text
