"""Addresses of clients as proxies write them."""

__all__ = ["spelled"]


def spelled(text: str) -> str | None:
    """Return an IP address as ``Connection.remote_ip`` has it; None when *text* is none.

    IPv6 comes in its shortest form, an IPv4 address in IPv6 form (RFC 4291 §2.5.5.2) as IPv4.
    """
    import ipaddress  # noqa: PLC0415 - only behind a proxy

    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
