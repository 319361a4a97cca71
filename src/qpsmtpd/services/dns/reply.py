"""The server's half of a DNS message: reading questions, writing answers; for the stub server."""

from typing import TYPE_CHECKING, Any, NamedTuple

from qpsmtpd.services.dns.contract import TYPES
from qpsmtpd.services.dns.message import UDP_PAYLOAD, Question
from qpsmtpd.services.dns.zone import Zone

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name

__all__ = ["Asked", "read", "write"]

_STRING = 255  # octets of one character-string (RFC 1035 §3.3)
_LARGEST = 65535
_AA, _RA, _AD, _TC = 0x0400, 0x0080, 0x0020, 0x0200


class Asked(NamedTuple):
    """A question as it arrived."""

    name: str
    type: str
    transport: str  #: "udp" or "tcp"
    source: int  #: the port it came from
    number: int  #: message id
    edns: bool
    message: bytes

    @property
    def end(self) -> int:
        """Where the question ends in the message, and in an answer that repeats it."""
        return 12 + len(self.name) + 2 + 4


def read(message: bytes, transport: str, source: int) -> Asked:
    """Read a question."""
    from dns.message import from_wire  # noqa: PLC0415 - see the package's rule

    found = from_wire(message, ignore_trailing=True)
    question = found.question[0]
    return Asked(
        question.name.to_text(omit_final_dot=True).lower(),
        question.rdtype.name,
        transport,
        source,
        found.id,
        found.edns >= 0,
        message,
    )


def write(
    asked: Asked,
    zone: Zone,
    *,
    number: int | None = None,
    name: str | None = None,
    rcode: int = 0,
    truncated: bool = False,
    authentic: bool = False,
    stream: bool = False,
) -> bytes:
    """Write the answer, or a wrong one.

    Args:
        asked: the question.
        zone: where the records are.
        number: another message id.
        name: another name, for question and answer.
        rcode: a failure instead of records.
        truncated: leave the records out and say so.
        authentic: set the AD bit.
        stream: for TCP, so with no bound but the message's own.
    """
    from dns.message import from_wire, make_response  # noqa: PLC0415 - see the package's rule
    from dns.name import from_text  # noqa: PLC0415
    from dns.rcode import Rcode  # noqa: PLC0415

    query = from_wire(asked.message, ignore_trailing=True)
    if name is not None:
        query.question[0].name = from_text(name)
    reply = make_response(query)
    reply.flags |= _AA | _RA | (_AD if authentic else 0) | (_TC if truncated else 0)
    reply.id = asked.number if number is None else number
    if rcode:
        reply.set_rcode(Rcode(rcode))
    elif not truncated:
        _fill(reply, asked, zone, query.question[0].name)
    wire = reply.to_wire(max_size=_LARGEST)
    if len(wire) <= UDP_PAYLOAD or stream or truncated:
        return wire
    return write(asked, zone, number=number, name=name, truncated=True)


def _fill(reply: "Message", asked: Asked, zone: Zone, first: "Name") -> None:
    from dns.name import from_text  # noqa: PLC0415 - see the package's rule
    from dns.rcode import NXDOMAIN  # noqa: PLC0415
    from dns.rdata import from_text as record  # noqa: PLC0415
    from dns.rrset import from_rdata  # noqa: PLC0415

    question = Question(asked.name, asked.type)
    chain = list(zone.aliases(question))
    owner = first
    for _, alias in chain:
        target = from_text(alias.records[0])
        reply.answer.append(from_rdata(owner, alias.ttl, _record("CNAME", alias.records[0])))
        owner = target
    last = Question(owner.to_text(omit_final_dot=True).lower(), asked.type)
    found = zone.get(last)
    if found is not None:
        for each in found.records:  # a set of its own for each: dnspython shuffles sets
            reply.answer.append(from_rdata(owner, found.ttl, _record(asked.type, each)))
        return
    if zone.answer(last).status.name == "NXDOMAIN":
        reply.set_rcode(NXDOMAIN)
    ttl = zone.NEGATIVE_TTL
    soa = record("IN", "SOA", f"ns.invalid. root.invalid. 1 3600 600 86400 {ttl}")
    reply.authority.append(from_rdata(from_text("."), 3600, soa))


def _record(rdtype: str, value: Any) -> Any:
    """Make a record of what ``Answer`` would show of it."""
    from dns.rdata import from_text  # noqa: PLC0415 - see the package's rule
    from dns.rdataclass import RdataClass  # noqa: PLC0415
    from dns.rdatatype import RdataType  # noqa: PLC0415
    from dns.rdtypes.ANY.TXT import TXT  # noqa: PLC0415

    if rdtype in {"TXT", "SPF"}:
        octets = value.encode("utf-8", "surrogateescape")
        strings = [octets[at : at + _STRING] for at in range(0, len(octets), _STRING)] or [b""]
        return TXT(RdataClass.IN, RdataType(TYPES[rdtype]), strings)
    if rdtype in {"MX", "SRV"}:
        *numbers, host = value
        return from_text("IN", rdtype, " ".join(map(str, (*numbers, f"{host}."))))
    if rdtype in {"CNAME", "NS", "PTR"}:
        return from_text("IN", rdtype, f"{value}.")
    if rdtype == "SOA":
        value = (f"{value[0]}.", f"{value[1]}.", *value[2:])
    text = value if isinstance(value, str) else " ".join(map(str, value))
    return from_text("IN", rdtype, text)
