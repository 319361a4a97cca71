"""Questions to wire form, and answers from it.

A question is a header, a name and an EDNS record: it is put together here. An answer is made by
strangers: it is read by dnspython, which is loaded for the first one.

Rules: what is not the answer to our question is not looked at. At most 100 records are kept, and
at most eight aliases are followed.
"""

from enum import Enum
from itertools import islice
from os import urandom
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from qpsmtpd.services.dns.contract import TYPES, Answer, Status
from qpsmtpd.services.dns.name import normal, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.message import Message
    from dns.rrset import RRset

__all__ = ["MAX_ALIASES", "MAX_RECORDS", "Outcome", "Question", "decode", "encode", "new_id"]

MAX_RECORDS = 100
MAX_ALIASES = 8
#: octets of an answer that no path has to fragment (RFC 9715)
UDP_PAYLOAD = 1232
#: seconds; who says more is not believed (RFC 8767 §4 has the same cap)
MAX_TTL = 604800

_HEADER = Struct("!6H")
_QUESTION = Struct("!2H")
_FLAGS = 0x0120  # recursion desired; we understand the AD bit (RFC 6840 §5.7)
_RESPONSE, _OPCODE, _TRUNCATED, _RCODE = 0x8000, 0x7800, 0x0200, 0x000F
_OPT = b"\0" + Struct("!2HIH").pack(41, UDP_PAYLOAD, 0, 0)  # RFC 6891 §6.1.2
_IN = 1


class Question(NamedTuple):
    """A name in its normal form, and a record type."""

    name: str
    type: str

    @classmethod
    def of(cls, name: str, rdtype: str) -> "Question":
        """Check a name; the type is a key of ``TYPES``.

        Raises:
            ValueError: the DNS cannot hold such a name.
        """
        return cls(normal(name), rdtype)


class Outcome(Enum):
    """A message that answers nothing."""

    FOREIGN = "not the answer to our question"
    TRUNCATED = "to be asked again over TCP"
    FAILED = "the server cannot tell"
    NO_EDNS = "the server does not know EDNS"


def new_id() -> int:
    """Return a message id nobody can guess (RFC 5452 §4.3)."""
    return int.from_bytes(urandom(2), "big")


def encode(question: Question, number: int, *, edns: bool = True) -> bytes:
    """Write a question.

    Args:
        question: what is asked.
        number: message id, 0 to 65535.
        edns: False for a server that does not know EDNS (RFC 6891 §7).
    """
    return b"".join(
        (
            _HEADER.pack(number, _FLAGS, 1, 0, 0, int(edns)),
            wire(question.name),
            _QUESTION.pack(TYPES[question.type], _IN),
            _OPT if edns else b"",
        )
    )


def decode(question: Question, number: int, message: bytes) -> Answer | Outcome:
    """Read what a server sent.

    Everything is compared that a forger would have to guess (RFC 5452 §9.1), before anything
    is read.
    """
    if len(message) < _HEADER.size:
        return Outcome.FOREIGN
    found, flags, questions, *_ = _HEADER.unpack_from(message)
    if found != number or flags & (_RESPONSE | _OPCODE) != _RESPONSE:
        return Outcome.FOREIGN
    rcode = flags & _RCODE
    if questions != 1:
        # Some servers repeat no question when they could not read it; that has no other sign.
        return Outcome.NO_EDNS if rcode == 1 and not questions else Outcome.FOREIGN
    asked = wire(question.name) + _QUESTION.pack(TYPES[question.type], _IN)
    given = message[_HEADER.size : _HEADER.size + len(asked)]
    # Lengths of labels are below "A", so lower() changes letters only; types must be exact.
    if given[:-4].lower() != asked[:-4] or given[-4:] != asked[-4:]:
        return Outcome.FOREIGN
    if flags & _TRUNCATED:
        return Outcome.TRUNCATED
    if rcode == 1:
        return Outcome.NO_EDNS
    if rcode not in {0, 3}:
        return Outcome.FAILED
    return _read(question, message)


def _read(question: Question, message: bytes) -> Answer | Outcome:
    from dns.message import from_wire  # noqa: PLC0415 - see the package's rule

    try:
        answer = from_wire(message, ignore_trailing=True)
        return _follow(question, answer) if answer.rcode() in {0, 3} else Outcome.FAILED
    except Exception:  # noqa: BLE001 - the octets are a stranger's: whatever they do to the codec
        return Outcome.FAILED


def _follow(question: Question, message: "Message") -> Answer | Outcome:
    """Go from the name that was asked for to the records, over aliases (RFC 1034 §4.3.2)."""
    from dns.flags import AD  # noqa: PLC0415 - see the package's rule

    wanted = {
        (rrset.name, int(rrset.rdtype)): rrset for rrset in message.answer if rrset.rdclass == _IN
    }
    name = message.question[0].name
    type_number = TYPES[question.type]
    ttl = MAX_TTL
    for _ in range(MAX_ALIASES + 1):
        found = wanted.get((name, type_number))
        if found is not None:
            return Answer(
                *question,
                Status.FOUND,
                _records(found),
                min(ttl, found.ttl),
                authentic=bool(message.flags & AD),
            )
        alias = wanted.get((name, TYPES["CNAME"]))
        if alias is None:
            status = Status.NXDOMAIN if message.rcode() == 3 else Status.NODATA
            return Answer(
                *question,
                status,
                ttl=min(ttl, _negative_ttl(message)),
                authentic=bool(message.flags & AD),
            )
        ttl = min(ttl, alias.ttl)
        name = alias[0].target
    return Answer(*question, Status.SERVFAIL, reason="too many aliases, or a circle of them")


def _negative_ttl(message: "Message") -> int:
    """Tell how long a denial holds (RFC 2308 §5); without SOA it must not be kept."""
    for rrset in message.authority:
        if rrset.rdtype == TYPES["SOA"]:
            return min(int(rrset.ttl), int(rrset[0].minimum))
    return 0


def _host(name: Any) -> str:
    """Write a name without final dot; octets that are no text come out as escapes."""
    text: str = name.to_text(omit_final_dot=True)
    return "" if text == "." else text


def _text(record: Any) -> str:
    return b"".join(record.strings).decode("utf-8", "surrogateescape")


def _start_of_authority(record: Any) -> tuple[Any, ...]:
    return (
        _host(record.mname),
        _host(record.rname),
        record.serial,
        record.refresh,
        record.retry,
        record.expire,
        record.minimum,
    )


_CONVERT: "dict[str, Callable[[Any], Any]]" = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "CNAME": lambda record: _host(record.target),
    "MX": lambda record: (record.preference, _host(record.exchange)),
    "NS": lambda record: _host(record.target),
    "PTR": lambda record: _host(record.target),
    "SOA": _start_of_authority,
    "SPF": _text,
    "SRV": lambda record: (record.priority, record.weight, record.port, _host(record.target)),
    "TLSA": lambda record: (record.usage, record.selector, record.mtype, record.cert.hex()),
    "TXT": _text,
    "CAA": lambda record: record.to_text(),
    "DS": lambda record: record.to_text(),
    "NAPTR": lambda record: record.to_text(),
}


def _records(rrset: "RRset") -> tuple[Any, ...]:
    convert = _CONVERT[rrset.rdtype.name]
    return tuple(map(convert, islice(rrset, MAX_RECORDS)))
