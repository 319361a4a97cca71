"""Answers kept for as long as they say they are true.

Kept are records and denials (RFC 2308); a failure is not, so that a server that is back is seen
at once. What is kept is bounded in number and in octets, and the least recently used goes first.
"""

from threading import Lock
from typing import TYPE_CHECKING

from qpsmtpd.services.dns.contract import Answer

if TYPE_CHECKING:
    from qpsmtpd.services.clock import Clock
    from qpsmtpd.services.dns.message import Question

__all__ = ["Cache"]

#: octets an entry costs beside its text, roughly
_OVERHEAD = 400
_DAY = 86400.0
_NEGATIVE = 900.0


class Cache:
    """Answers by question; may be used by several threads."""

    def __init__(self, clock: "Clock", *, entries: int = 10_000, octets: int = 8_388_608) -> None:
        """Make an empty cache.

        Args:
            clock: tells when an answer is too old.
            entries: answers kept at most; 0 keeps none.
            octets: size of all answers at most, counted roughly.
        """
        self._clock = clock
        self._entries = entries
        self._octets = octets
        self._kept: dict[Question, tuple[float, int, Answer]] = {}
        self._size = 0
        self._lock = Lock()  # under Apache's threaded MPMs one cache serves several sessions

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Octets in use, counted roughly."""
        return self._size

    def get(self, question: "Question") -> Answer | None:
        """Return what is known, with the seconds it has left as ``ttl``."""
        now = self._clock.monotonic()
        with self._lock:
            kept = self._kept.get(question)
            if kept is None:
                return None
            expires, size, answer = kept
            del self._kept[question]
            if expires <= now:
                self._size -= size
                return None
            self._kept[question] = kept  # the end of the dict is what was used last
        return answer._replace(ttl=int(expires - now))

    def put(self, question: "Question", answer: Answer) -> None:
        """Keep an answer for its ``ttl``, at most a day, a denial for a quarter of an hour."""
        if answer.ttl <= 0 or answer.temporary or not self._entries:
            return
        expires = self._clock.monotonic() + min(answer.ttl, _DAY if answer.found else _NEGATIVE)
        size = _OVERHEAD + len(question.name) + sum(map(_octets, answer.records))
        if size > self._octets // 16:
            return  # one answer must not push out all others
        with self._lock:
            old = self._kept.pop(question, None)
            if old is not None:
                self._size -= old[1]
            self._kept[question] = (expires, size, answer)
            self._size += size
            while len(self._kept) > self._entries or self._size > self._octets:
                self._size -= self._kept.pop(next(iter(self._kept)))[1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._size = 0


def _octets(record: object) -> int:
    return 64 + len(record) if isinstance(record, str) else 200
