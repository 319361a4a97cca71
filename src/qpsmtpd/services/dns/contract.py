"""What a plugin may ask of the domain name system, and what it gets."""

# ruff: noqa: ASYNC109 - asyncio.timeout needs a loop and a task, and a service may have neither

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol

__all__ = ["ADDRESS", "TYPES", "Answer", "Dns", "Status"]

#: record types that can be asked for, with their numbers (RFC 1035 §3.2.2 and its successors)
TYPES = {
    "A": 1,  # RFC 1035 §3.4.1
    "NS": 2,  # RFC 1035 §3.3.11
    "CNAME": 5,  # RFC 1035 §3.3.1
    "SOA": 6,  # RFC 1035 §3.3.13
    "PTR": 12,  # RFC 1035 §3.3.12
    "MX": 15,  # RFC 1035 §3.3.9
    "TXT": 16,  # RFC 1035 §3.3.14
    "AAAA": 28,  # RFC 3596 §2.1
    "SRV": 33,  # RFC 2782
    "NAPTR": 35,  # RFC 3403 §4
    "DS": 43,  # RFC 4034 §5
    "TLSA": 52,  # RFC 6698 §2
    "SPF": 99,  # RFC 4408 §3.1.1, obsolete
    "CAA": 257,  # RFC 8659 §4
}

#: the type of an answer of ``addresses``: A and AAAA records together
ADDRESS = "ADDRESS"


class Status(Enum):
    """How a question was answered."""

    FOUND = "found"  #: there are records
    NODATA = "no data"  #: the name exists, records of that type do not (RFC 2308 §2.2)
    NXDOMAIN = "no such name"  #: nor does the name (RFC 2308 §2.1), or it cannot
    SERVFAIL = "server failure"  #: no name server could tell: a temporary failure
    TIMEOUT = "timeout"  #: no name server told in time: a temporary failure


class Answer(NamedTuple):
    """What is known about a name; true when there are records.

    Records are text: an address for A and AAAA, a name without final dot for PTR, CNAME and NS,
    the joined strings for TXT and SPF (UTF-8, other octets as surrogates). They are tuples for
    MX (preference, host), SRV (priority, weight, port, target), TLSA (usage, selector, matching
    type, hexadecimal digits) and SOA (mname, rname, serial, refresh, retry, expire, minimum).
    Any other type is in presentation format. The root name is "".
    """

    name: str  #: the name that was asked for, in lower case and without final dot
    type: str  #: the record type that was asked for
    status: Status
    records: tuple[Any, ...] = ()
    ttl: int = 0  #: seconds the answer stays true
    reason: str = ""  #: for the log: what went wrong
    authentic: bool = False  #: the name server says it has checked DNSSEC (RFC 4035 §3.2.3)

    def __bool__(self) -> bool:
        return bool(self.records)

    @property
    def found(self) -> bool:
        """True when there are records."""
        return self.status is Status.FOUND

    @property
    def temporary(self) -> bool:
        """True when the question failed and may be answered later: never a reason to refuse."""
        return self.status in {Status.SERVFAIL, Status.TIMEOUT}

    @property
    def null_mx(self) -> bool:
        """True for a domain that says it accepts no mail (RFC 7505 §3)."""
        return self.type == "MX" and len(self.records) == 1 and self.records[0][1] == ""


class Dns(Protocol):
    """The domain name system.

    No method raises for what servers do or a name looks like: the status says it. A name that
    cannot exist in the DNS (an empty label or one over 63 octets, over 253 in all, control
    octets) is NXDOMAIN and is not asked for. At most 100 records are returned.

    Raises:
        ValueError: a record type is not in ``TYPES``.
    """

    async def query(self, name: str, rdtype: str, *, timeout: float | None = None) -> Answer:
        """Look up the records of one type.

        Args:
            name: a domain name, with or without final dot; U-labels are converted (RFC 5891).
            rdtype: a record type of ``TYPES``.
            timeout: seconds for the whole call; None for the service's own.
        """
        ...

    async def query_all(
        self, questions: Iterable[tuple[str, str]], *, timeout: float | None = None
    ) -> list[Answer]:
        """Look up several (name, type) at once, with one deadline for all.

        Returns:
            Answers in the order of the questions.
        """
        ...

    async def txt(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up TXT records, each with its strings joined (RFC 7208 §3.3)."""
        ...

    async def mx(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up the mail exchangers of a domain, best preference first (RFC 5321 §5.1)."""
        ...

    async def ptr(self, address: str, *, timeout: float | None = None) -> Answer:
        """Look up the names of an IPv4 or IPv6 address (RFC 1035 §3.5, RFC 3596 §2.5)."""
        ...

    async def addresses(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up A and AAAA records in parallel; IPv4 comes first.

        One of the two is enough to be FOUND; ``reason`` then tells of a failure of the other.
        """
        ...
