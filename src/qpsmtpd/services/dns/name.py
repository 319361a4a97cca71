"""Domain names as questions need them: checked, in wire form, reversed from addresses.

Rule: a name is checked here before any of it is sent. Names come from clients and from the
records of strangers; nothing in them is an escape or a pattern, every octet stands for itself.
"""

__all__ = ["MAX_LABEL", "MAX_NAME", "normal", "reverse", "wire"]

MAX_LABEL = 63  # octets (RFC 1035 §2.3.4)
MAX_NAME = 253  # octets in text form, which are 255 in wire form (RFC 1035 §2.3.4)


def normal(name: str) -> str:
    """Check a domain name and bring it into the form answers are kept under.

    Returns:
        The name in lower case ASCII without final dot; "" is the root.

    Raises:
        ValueError: the DNS cannot hold such a name; the text says why.
    """
    name = name.removesuffix(".")
    if not name.isascii():
        name = ".".join(map(_ascii, name.split(".")))
    name = name.lower()
    if len(name) > MAX_NAME:
        raise ValueError(f"a name of {len(name)} octets")
    # Blanks count as text: SPF macros make names of local parts (RFC 7208 §7.1).
    if not name.isprintable():
        raise ValueError("a control character in a name")
    if name:
        for label in name.split("."):
            if not 0 < len(label) <= MAX_LABEL:
                raise ValueError(f"a label of {len(label)} octets")
    return name


def _ascii(label: str) -> str:
    """Turn a U-label into an A-label (RFC 5891 §4)."""
    if label.isascii():
        return label  # not for idna: "_dmarc" is no host name, but a name
    import idna  # noqa: PLC0415 - 30 ms, and next to no mail needs it

    try:
        found = idna.encode(label, uts46=True).decode("ascii")
    except UnicodeError as error:  # idna's own error is one of these
        raise ValueError(f"no international name: {error}") from error
    if "." in found:  # a full stop of another script would make labels nobody has counted
        raise ValueError("a dot inside a label")
    return found


def wire(name: str) -> bytes:
    """Turn a name that ``normal`` returned into its wire form (RFC 1035 §3.1)."""
    if not name:
        return b"\0"
    labels = name.encode("ascii").split(b".")
    return b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"


def reverse(address: str) -> str:
    """Return the name under which an address's PTR records are (RFC 1035 §3.5, RFC 3596 §2.5).

    An IPv4 address in IPv6 form (RFC 4291 §2.5.5.2) is reversed as what it is.

    Raises:
        ValueError: *address* is no IP address.
    """
    from ipaddress import ip_address  # noqa: PLC0415 - 6 ms for those who never reverse

    found = ip_address(address.partition("%")[0])
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.reverse_pointer
