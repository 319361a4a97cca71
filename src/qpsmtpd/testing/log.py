"""A log that a test can read."""

from collections.abc import Iterable

from qpsmtpd.constants import LOGDEBUG, LogLevel
from qpsmtpd.telemetry.log import Log, LogEvent, Writer

__all__ = ["CapturedLog"]


class CapturedLog(Log):
    """Keeps every event down to LOGDEBUG, and lets logging plugins write, too.

    Attributes:
        events: all events, in order.
    """

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        super().__init__(LOGDEBUG, writers=(self.keep,))

    def keep(self, event: LogEvent) -> None:
        """Take an event in."""
        self.events.append(event)

    def attach(self, writers: Iterable[Writer]) -> None:
        """Let logging plugins have the events, behind the log itself."""
        self.writers = (self.keep, *writers)

    @property
    def lines(self) -> list[str]:
        """All events as text: ``LOGINFO greylisting: fail``."""
        return [f"{event.level_name} {event.line.partition(' ')[2]}" for event in self.events]

    def logged(self, what: str | int = "", *, plugin: str = "") -> list[str]:
        """Return the texts that were logged, for ``assert smtpd.log.logged("fail")``.

        Args:
            what: a level, for the texts of that level; or a part of the text.
            plugin: registered name of the plugin that spoke; "" for anybody.
        """
        return [
            event.text
            for event in self.events
            if (event.level == what if isinstance(what, int) else what in event.text)
            and plugin in {"", event.plugin}
        ]

    def clear(self) -> None:
        """Forget what was logged."""
        self.events.clear()

    def __repr__(self) -> str:
        urgent = sum(event.level <= LogLevel.LOGWARN for event in self.events)
        return f"<CapturedLog {len(self.events)} events, {urgent} of them LOGWARN or worse>"
