"""DNS without a network: records in memory, failures and delays by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qpsmtpd.services.clock import Clock, FakeClock
from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.lookups import TIMEOUT, Lookups
from qpsmtpd.services.dns.message import MAX_RECORDS, Question
from qpsmtpd.services.dns.name import normal
from qpsmtpd.services.dns.zone import Zone

__all__ = ["FakeDns"]


class FakeDns(Lookups):
    """The ``Dns`` contract for tests; suits both flavours of driver.

    Attributes:
        questions: every (name, type) that was asked for, in order.
        zone: the records.
    """

    def __init__(
        self,
        records: Mapping[str, Mapping[str, Iterable[Any]]] | None = None,
        *,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Say what there is.

        Args:
            records: as for ``Zone``.
            clock: lets delays pass; None for a fake one that moves by itself.
            timeout: seconds for a call that does not say.
        """
        super().__init__(timeout=timeout)
        self.zone = Zone(records)
        self.questions: list[tuple[str, str]] = []
        self._clock: Clock = FakeClock() if clock is None else clock
        self._failures: dict[tuple[str, str | None], Status] = {}
        self._delays: dict[str, float] = {}

    def add(self, name: str, rdtype: str, *records: Any, ttl: int = 300) -> None:
        """Set the records of a name and type, as ``Zone.add``."""
        self.zone.add(name, rdtype, *records, ttl=ttl)

    def fail(self, name: str, status: Status = Status.SERVFAIL, rdtype: str | None = None) -> None:
        """Let questions about a name fail, all of them or those for one type."""
        self._failures[normal(name), rdtype] = status

    def delay(self, name: str, seconds: float) -> None:
        """Let answers about a name take *seconds*; beyond the caller's time they are TIMEOUT."""
        self._delays[normal(name)] = seconds

    async def _ask(self, questions: Sequence[Question], seconds: float) -> list[Answer]:
        self.questions.extend(questions)
        delays = [self._delays.get(question.name, 0.0) for question in questions]
        wait = max(min(delay, seconds) for delay in delays)
        if wait > 0:
            await self._clock.sleep(wait)
        return [
            self._answer(question) if delay < seconds else _late(question)
            for question, delay in zip(questions, delays, strict=True)
        ]

    def _answer(self, question: Question) -> Answer:
        for key in ((question.name, question.type), (question.name, None)):
            if key in self._failures:
                return Answer(*question, self._failures[key], reason="told to fail")
        answer = self.zone.answer(question)
        return answer._replace(records=answer.records[:MAX_RECORDS])


def _late(question: Question) -> Answer:
    return Answer(*question, Status.TIMEOUT, reason="told to take too long")
