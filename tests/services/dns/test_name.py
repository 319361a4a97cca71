import pytest

from qpsmtpd.services.dns.name import normal, reverse, wire

LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Example.ORG.", "example.org"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_dmarc.BÜCHER.example", "_dmarc.xn--bcher-kva.example"),
        ("two words.example.org", "two words.example.org"),
        (r"back\046slash.example", r"back\046slash.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        (LONGEST, LONGEST),
        ("", ""),
        (".", ""),
    ],
)
def test_names_have_a_normal_form(given, expected):
    assert normal(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "a" * 64 + ".example",
        "x." * 128,
        "a..example",
        ".example",
        "example..",
        "nul\0.example",
        "line\n.example",
        "delete\x7f.example",
        "ü" * 60 + ".example",
        "no\u3002dot.ex\u3002ample",
        "\udcff.example",
        "-ü-.example",
    ],
)
def test_names_the_dns_cannot_hold_are_refused(given):
    with pytest.raises(ValueError, match=r"."):
        normal(given)


def test_wire_form_takes_every_octet_for_itself():
    assert wire("") == b"\0"
    assert wire("a\\.b.c") == b"\x02a\\\x01b\x01c\0"
    assert len(wire(LONGEST)) == 255


def test_addresses_are_reversed():
    assert reverse("192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse("2001:db8::1") == "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"
    assert reverse("::ffff:192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse("fe80::1%eth0").endswith(".0.8.e.f.ip6.arpa")


@pytest.mark.parametrize("given", ["", "example.org", "192.0.2.256", "1.2.3.4/8"])
def test_what_is_no_address_is_not_reversed(given):
    with pytest.raises(ValueError, match=r"."):
        reverse(given)
