"""What the engine and plugins need of a log: a level test and one call."""

from typing import Protocol

__all__ = ["Logger", "NullLogger"]


class Logger(Protocol):
    """Where messages go. ``qpsmtpd.telemetry.log`` has the real one."""

    threshold: int
    """Least urgent level anybody writes: test it before formatting a text."""

    def log(
        self,
        level: int,
        text: str,
        *,
        plugin: str = "",
        hook: str = "",
        connection: object = None,
        **fields: object,
    ) -> None:
        """Write *text* if *level* is at or below the threshold.

        Args:
            level: a ``LogLevel``, 0 (most urgent) to 7.
            text: one event; control characters are escaped by the writer.
            plugin: registered name of the plugin that speaks, or "".
            hook: name of the hook it is in, or "".
            connection: the connection it is about, or None.
            fields: further facts for structured writers.
        """
        ...


class NullLogger:
    """A log nobody reads."""

    threshold = -1

    def log(
        self,
        level: int,
        text: str,
        *,
        plugin: str = "",
        hook: str = "",
        connection: object = None,
        **fields: object,
    ) -> None:
        """Do nothing."""
