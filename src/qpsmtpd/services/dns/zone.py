"""Records in memory: what the fake and the stub server of tests answer from."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from qpsmtpd.services.dns.contract import TYPES, Answer, Status
from qpsmtpd.services.dns.message import MAX_ALIASES, Question
from qpsmtpd.services.dns.name import normal

__all__ = ["Records", "Zone"]


class Records(NamedTuple):
    """The records of one name and type."""

    records: tuple[Any, ...]  #: as in ``Answer``
    ttl: int  #: seconds


class Zone:
    """All names there are."""

    #: seconds a denial holds
    NEGATIVE_TTL = 60

    def __init__(self, records: Mapping[str, Mapping[str, Iterable[Any]]] | None = None) -> None:
        """Fill a zone.

        Args:
            records: by name and type, ``{"example.org": {"MX": [(10, "mx.example.org")]}}``;
                written as in ``Answer``.
        """
        self._known: dict[Question, Records] = {}
        self._names: set[str] = set()
        for name, types in (records or {}).items():
            for rdtype, found in types.items():
                self.add(name, rdtype, *found)

    def add(self, name: str, rdtype: str, *records: Any, ttl: int = 300) -> None:
        """Set the records of a name and type; without any, the name only exists.

        Raises:
            ValueError: the type is unknown, or the DNS cannot hold such a name.
        """
        if rdtype not in TYPES:
            raise ValueError(f"unknown record type {rdtype!r}")
        question = Question.of(name, rdtype)
        self._known[question] = Records(records, ttl)
        self._names.update(_ancestors(question.name))

    def remove(self, name: str) -> None:
        """Take a name and all its records away, and leave those below it."""
        gone = normal(name)
        self._known = {key: value for key, value in self._known.items() if key.name != gone}
        self._names = {each for key in self._known for each in _ancestors(key.name)}

    def get(self, question: Question) -> Records | None:
        """Return the records of exactly that name and type, or None when there are none."""
        found = self._known.get(question)
        return found if found is not None and found.records else None

    def aliases(self, question: Question) -> Iterator[tuple[str, Records]]:
        """Go along the aliases from a name, at most once round a circle of them."""
        seen = set()
        name = question.name
        while question.type != "CNAME" and name not in seen:
            seen.add(name)
            found = self.get(Question(name, "CNAME"))
            if found is None:
                return
            yield name, found
            name = normal(found.records[0])

    def answer(self, question: Question) -> Answer:
        """Answer as a resolver would, over aliases."""
        chain = list(self.aliases(question))
        if len(chain) > MAX_ALIASES:
            return Answer(*question, Status.SERVFAIL, reason="too many aliases")
        name = normal(chain[-1][1].records[0]) if chain else question.name
        found = self.get(Question(name, question.type))
        if found is not None:
            return Answer(*question, Status.FOUND, found.records, found.ttl)
        if self.get(Question(name, "CNAME")) is not None and chain:
            return Answer(*question, Status.SERVFAIL, reason="a circle of aliases")
        status = Status.NODATA if name in self._names else Status.NXDOMAIN
        return Answer(*question, status, ttl=self.NEGATIVE_TTL)


def _ancestors(name: str) -> Iterator[str]:
    """Yield a name and all above it: they exist, if only to hold it (RFC 8020)."""
    while name:
        yield name
        name = name.partition(".")[2]
