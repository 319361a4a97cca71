"""Sets of client addresses, as control files list them."""

from collections.abc import Iterable, Iterator

__all__ = ["Networks"]


class Networks:
    """Addresses, beginnings of addresses, and networks.

    ``192.0.2.1``, ``192.0.2.``, ``192.0.2.0/24``, ``2001:db8::1``, ``2001:db8:``,
    ``2001:db8::/32``; ``unix`` for clients of a Unix socket, which have no address.
    IPv4-mapped IPv6 addresses count as IPv4. Bits outside a mask do not count.
    """

    __slots__ = ("_sets", "_unix", "texts")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Read a list.

        Raises:
            ValueError: an entry is none of the above.
        """
        self.texts = tuple(texts)
        self._unix = "unix" in self.texts
        #: by octets of an address and bits behind the network part: network parts
        self._sets: dict[tuple[int, int], set[int]] = {}
        for text in self.texts:
            if text != "unix":
                octets, shift, prefix = _network(text)
                self._sets.setdefault((octets, shift), set()).add(prefix)

    def __contains__(self, address: object) -> bool:
        """True for the text of an address in the set; "" is a client of a Unix socket."""
        if address == "":
            return self._unix
        if not self._sets or not isinstance(address, str):
            return False
        try:
            packed = _pack(address.partition("%")[0])
        except ValueError:
            return False
        number = int.from_bytes(packed)
        return any(
            octets == len(packed) and number >> shift in prefixes
            for (octets, shift), prefixes in self._sets.items()
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"Networks({list(self.texts)})"


def _pack(address: str) -> bytes:
    """Turn an address to octets; ValueError when it is none."""
    from socket import AF_INET, AF_INET6, inet_pton  # noqa: PLC0415 - not needed to start

    try:
        packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except (OSError, ValueError):
        raise ValueError(f"{address!r} is no address") from None
    return packed[12:] if packed[:12] == b"\0" * 10 + b"\xff\xff" else packed


def _network(text: str) -> tuple[int, int, int]:
    """Read one entry: octets of an address, bits behind the network part, network part."""
    address, slash, bits = text.partition("/")
    try:
        if not slash and address.endswith("."):
            packed, shift = _begins_ipv4(address)
        elif not slash and address.endswith(":") and not address.endswith("::"):
            packed, shift = _begins_ipv6(address)
        else:
            packed = _pack(address)
            shift = _behind(8 * len(packed), bits, mapped=":" in address) if slash else 0
    except ValueError:
        raise ValueError(
            f"{text!r} is no address or network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
        ) from None
    return len(packed), shift, int.from_bytes(packed) >> shift


def _begins_ipv4(address: str) -> tuple[bytes, int]:
    missing = 4 - address.count(".")
    return _pack(address + ".".join("0" * missing)), 8 * missing


def _begins_ipv6(address: str) -> tuple[bytes, int]:
    missing = 8 - address.count(":")
    return _pack(address + ("0" if missing == 1 else ":")), 16 * missing


def _behind(size: int, bits: str, *, mapped: bool) -> int:
    """Count the bits behind a mask; the first 96 of IPv4-mapped addresses were taken off."""
    if not (bits.isascii() and bits.isdigit()):
        raise ValueError(bits)
    length = int(bits) - 96 if mapped and size == 32 else int(bits)
    if not 0 <= length <= size:
        raise ValueError(bits)
    return size - length
