"""The PROXY protocol header, versions 1 and 2 (HAProxy's proxy-protocol.txt).

Rule: it is read only from clients that have the right "proxy", and from them it is required:
before it nothing is said, and a header that is not one ends the connection without a word.
"""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qpsmtpd.smtp.peer import spelled
from qpsmtpd.smtp.state import Goodbye, State

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script

__all__ = ["Header", "ProxyError", "parse", "receive"]

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_LONGEST: Final = 107  # octets, CRLF included
_V2_FIXED: Final = 16
_V1: Final = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\x00\r\n]*)?")
_ADDRESS_OCTETS: Final = {0x11: 4, 0x21: 16}  # TCP over IPv4 and IPv6
_CRC32C: Final = 0x03  # type of the TLV


class ProxyError(ValueError):
    """What was sent is no PROXY header."""


class Header(NamedTuple):
    """A header, read."""

    length: int  #: octets it took
    source: tuple[str, int] | None  #: the client; None: whoever is connected
    destination: tuple[str, int] | None


def parse(data: bytes) -> Header | None:
    """Read a header from the first octets of a connection.

    Returns:
        The header, or None when more octets are needed.

    Raises:
        ProxyError: this is no header.
    """
    if data.startswith(_SIGNATURE):
        return _version2(data)
    if len(data) < len(_SIGNATURE) and _SIGNATURE.startswith(data):
        return None
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end >= 0:
        return _version1(data[:end])
    if len(data) >= _V1_LONGEST or not (data[:6] == b"PROXY "[: len(data)]) or b"\n" in data:
        raise ProxyError("no PROXY header")
    return None


def _version1(line: bytes) -> Header:
    length = len(line) + 2
    if _V1_UNKNOWN.fullmatch(line):
        return Header(length, None, None)
    match = _V1.fullmatch(line)
    if not match:
        raise ProxyError("malformed header")
    family, source, destination, source_port, destination_port = match.groups()
    version = 4 if family == b"TCP4" else 6
    ports = int(source_port), int(destination_port)
    if max(ports) > 65535:
        raise ProxyError("port out of range")
    return Header(
        length,
        (_text_address(source, version), ports[0]),
        (_text_address(destination, version), ports[1]),
    )


def _text_address(text: bytes, version: int) -> str:
    found = spelled(text.decode("ascii"))
    if found is None or (b":" in text) != (version == 6):
        raise ProxyError("bad address")
    return found


def _version2(data: bytes) -> Header | None:
    if len(data) < _V2_FIXED:
        return None
    version_command, family = data[12], data[13]
    length = _V2_FIXED + int.from_bytes(data[14:16], "big")
    if version_command not in {0x20, 0x21}:
        raise ProxyError("unknown version or command")
    octets = _ADDRESS_OCTETS.get(family, 0)
    addresses = 2 * octets + 4 if octets else 0
    if version_command == 0x21 and length - _V2_FIXED < addresses:
        raise ProxyError("address block too short")
    if len(data) < length:
        return None
    if version_command == 0x20 or not octets:  # LOCAL, or a family that is none of ours
        return Header(length, None, None)
    _check_tlvs(data[:length], _V2_FIXED + addresses)
    block = data[_V2_FIXED : _V2_FIXED + addresses]
    ports = block[2 * octets : 2 * octets + 2], block[2 * octets + 2 :]
    return Header(
        length,
        (_packed_address(block[:octets]), int.from_bytes(ports[0], "big")),
        (_packed_address(block[octets : 2 * octets]), int.from_bytes(ports[1], "big")),
    )


def _packed_address(octets: bytes) -> str:
    import ipaddress  # noqa: PLC0415 - only behind a proxy

    address = ipaddress.ip_address(octets)
    return spelled(str(address)) or str(address)


def _check_tlvs(header: bytes, position: int) -> None:
    """Walk over the extensions; raises ProxyError when they overrun or the checksum is wrong."""
    while position < len(header):
        if position + 3 > len(header):
            raise ProxyError("cut extension")
        end = position + 3 + int.from_bytes(header[position + 1 : position + 3], "big")
        if end > len(header):
            raise ProxyError("extension runs past the end")
        if header[position] == _CRC32C:
            value = header[position + 3 : end]
            blank = header[: position + 3] + bytes(len(value)) + header[end:]
            if value != _crc32c(blank).to_bytes(4, "big"):
                raise ProxyError("wrong checksum")
        position = end


def _crc32c(data: bytes) -> int:
    """Checksum with the Castagnoli polynomial (RFC 9260 appendix A); headers are short."""
    value = 0xFFFFFFFF
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def receive(session: "Session") -> "Script[None]":
    """Wait for the header and make its addresses those of the connection.

    Raises:
        Goodbye: there was none.
    """
    connection = session.connection
    session.state = State.PROXY
    limit, session.time_limit = session.time_limit, session.settings.proxy_timeout
    data = b""
    while True:
        data += session.input.take()
        try:
            header = parse(data)
        except ProxyError as error:
            session.notice(f"no PROXY header from {connection.remote_ip}: {error}")
            raise Goodbye from error
        if header is not None:
            break
        yield from session.more()
    session.input.put_back(data[header.length :])
    session.steps += 1
    session.time_limit = limit
    if header.source and header.destination:
        connection.local_ip, connection.local_port = header.destination
        connection.remote_host = connection.remote_info = ""
        if not connection.move(*header.source):
            session.overcrowded()
            raise Goodbye
