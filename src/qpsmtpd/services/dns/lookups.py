"""What all flavours of DNS have in common: names checked, answers kept, look-ups by purpose.

A flavour supplies one method that has questions answered.
"""

# ruff: noqa: ASYNC109 - asyncio.timeout needs a loop and a task, and a service may have neither

from collections.abc import Iterable, Sequence

from qpsmtpd.services.dns.cache import Cache
from qpsmtpd.services.dns.contract import ADDRESS, TYPES, Answer, Status
from qpsmtpd.services.dns.message import Question
from qpsmtpd.services.dns.name import reverse

__all__ = ["TIMEOUT", "Lookups"]

#: seconds a call may take; a cold cache needs some of them
TIMEOUT = 10.0


class Lookups:
    """The ``Dns`` contract above a way to have questions answered."""

    def __init__(self, *, timeout: float = TIMEOUT, cache: Cache | None = None) -> None:
        """Set what all calls share.

        Args:
            timeout: seconds for a call that does not say.
            cache: where answers are kept, or None.
        """
        self._timeout = timeout
        self._cache = cache

    async def _ask(self, questions: Sequence[Question], seconds: float) -> list[Answer]:
        """Have different questions answered, in their order, within *seconds*."""
        raise NotImplementedError

    async def query(self, name: str, rdtype: str, *, timeout: float | None = None) -> Answer:
        """Look up the records of one type; see ``Dns``."""
        return (await self.query_all(((name, rdtype),), timeout=timeout))[0]

    async def query_all(
        self, questions: Iterable[tuple[str, str]], *, timeout: float | None = None
    ) -> list[Answer]:
        """Look up several (name, type) at once, with one deadline for all; see ``Dns``."""
        asked = [self._checked(name, rdtype) for name, rdtype in questions]
        known: dict[Question, Answer] = {}
        missing: dict[Question, None] = {}
        cache = self._cache
        for question in asked:
            if isinstance(question, Question):
                kept = None if cache is None else cache.get(question)
                if kept is None:
                    missing[question] = None
                else:
                    known[question] = kept
        if missing:
            seconds = self._timeout if timeout is None else timeout
            found = await self._ask(tuple(missing), seconds)
            for question, answer in zip(missing, found, strict=True):
                known[question] = answer
                if cache is not None:
                    cache.put(question, answer)
        return [item if isinstance(item, Answer) else known[item] for item in asked]

    @staticmethod
    def _checked(name: str, rdtype: str) -> Question | Answer:
        if rdtype not in TYPES:
            raise ValueError(f"{rdtype!r} is no record type to ask for: one of {', '.join(TYPES)}")
        try:
            return Question.of(name, rdtype)
        except ValueError as error:
            return Answer(name, rdtype, Status.NXDOMAIN, reason=str(error))

    async def txt(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up TXT records, each with its strings joined."""
        return await self.query(name, "TXT", timeout=timeout)

    async def mx(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up the mail exchangers of a domain, best preference first."""
        answer = await self.query(name, "MX", timeout=timeout)
        return answer._replace(records=tuple(sorted(answer.records)))

    async def ptr(self, address: str, *, timeout: float | None = None) -> Answer:
        """Look up the names of an address; for what is none, the answer is NXDOMAIN."""
        try:
            name = reverse(address)
        except ValueError as error:
            return Answer(address, "PTR", Status.NXDOMAIN, reason=str(error))
        return await self.query(name, "PTR", timeout=timeout)

    async def addresses(self, name: str, *, timeout: float | None = None) -> Answer:
        """Look up A and AAAA records in parallel; IPv4 comes first."""
        both = await self.query_all(((name, "A"), (name, "AAAA")), timeout=timeout)
        return _merged(both)


#: of two denials or failures, the one that says less certain things counts
_WORST = (Status.TIMEOUT, Status.SERVFAIL, Status.NODATA, Status.NXDOMAIN)


def _merged(answers: Sequence[Answer]) -> Answer:
    """Make one answer of several; any records make it FOUND."""
    records = tuple(record for answer in answers for record in answer.records)
    statuses = {answer.status for answer in answers}
    if records:
        status = Status.FOUND
    else:
        status = next(candidate for candidate in _WORST if candidate in statuses)
    lasting = [answer for answer in answers if not records or answer.found]
    return Answer(
        answers[0].name,
        ADDRESS,
        status,
        records,
        min(answer.ttl for answer in lasting),
        "; ".join(answer.reason for answer in answers if answer.reason),
        all(answer.authentic for answer in answers),
    )
