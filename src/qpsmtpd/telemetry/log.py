"""The log of a process: events, the logging hook, the line on standard error.

Rule: one event is one line, whatever a client put into its text, and a log that fails costs nobody
more than the line.

The built-in line is text or, where the setting ``log_format`` says so, a JSON object.

Logging plugins are writers. They are asked in the order of ``config/logging`` until one returns
something else than DECLINED; while any of them is at work the built-in line is not written.
"""

import os
import sys
from _thread import get_ident  # threading costs start-up time and adds nothing here
from collections.abc import Callable, Iterable
from math import isfinite
from time import gmtime, strftime, time
from typing import Any, Final, TextIO

from qpsmtpd.constants import DECLINED, LOGCRIT, LOGDEBUG, LOGWARN, OK, LogLevel
from qpsmtpd.telemetry.escape import escape

__all__ = ["Log", "LogEvent", "Writer"]

#: takes an event; its result says whether the next writer is asked
Writer = Callable[["LogEvent"], object]

_NAMES: Final = tuple(level.name for level in LogLevel)


class LogEvent:
    """Something worth a line."""

    __slots__ = (
        "connection_id",
        "fields",
        "hook",
        "level",
        "pid",
        "plugin",
        "remote_ip",
        "text",
        "time",
        "transaction_id",
    )

    def __init__(
        self,
        level: int,
        text: str,
        plugin: str = "",
        hook: str = "",
        connection: Any = None,  # smtp.Connection, which this layer does not know
        fields: dict[str, object] | None = None,
    ) -> None:
        """Describe an event of this moment and this process.

        Args:
            level: 0 (most urgent) to 7.
            text: what happened; control characters are escaped here.
            plugin: registered name of the plugin that speaks, or "".
            hook: name of the hook it is in, or "".
            connection: the connection it is about, or None.
            fields: further facts, for structured writers.
        """
        self.level = level
        self.text = escape(text)
        self.plugin = plugin
        self.hook = hook
        self.time = time()  #: seconds since the epoch
        self.pid = os.getpid()
        self.fields: dict[str, object] = {} if fields is None else fields
        self.connection_id: str = getattr(connection, "id", "")
        self.remote_ip: str = getattr(connection, "remote_ip", "")
        transaction = getattr(connection, "transaction", None)
        self.transaction_id: str = getattr(transaction, "id", "")

    def __repr__(self) -> str:
        return f"<LogEvent {self.level_name} {self.line}>"

    @property
    def level_name(self) -> str:
        """The level as configuration files have it, ``LOGWARN``."""
        return _NAMES[self.level] if 0 <= self.level < len(_NAMES) else str(self.level)

    @property
    def line(self) -> str:
        """The event in qpsmtpd's words: ``<pid> (<hook>) <plugin>: <text>``, no newline."""
        if self.plugin:
            who = f" ({self.hook}) {self.plugin}:" if self.hook else f" {self.plugin}:"
        else:
            who = f" ({self.hook}) running plugin:" if self.hook else ""
        return f"{self.pid}{who} {self.text}"

    def as_dict(self) -> dict[str, object]:
        """The event as plain values that JSON can carry; what is empty is left out."""
        stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(self.time))
        known: dict[str, object] = {
            "time": f"{stamp}.{int(self.time % 1 * 1_000_000):06d}Z",
            "level": self.level_name,
            "pid": self.pid,
            "connection_id": self.connection_id,
            "transaction_id": self.transaction_id,
            "remote_ip": self.remote_ip,
            "plugin": self.plugin,
            "hook": self.hook,
            "text": self.text,
        }
        shown = {name: value for name, value in known.items() if value != ""}
        for name, value in self.fields.items():
            plain = value is None or isinstance(value, (bool, int, str))
            plain = plain or (isinstance(value, float) and isfinite(value))
            if value != "":
                shown.setdefault(name, value if plain else str(value))
        return shown

    @property
    def json(self) -> str:
        """The event as a JSON object, no newline."""
        import json  # noqa: PLC0415 - only where somebody wants it

        return json.dumps(self.as_dict())


class Log:
    """Where the messages of this process go; a ``qpsmtpd.logger.Logger``.

    Attributes:
        threshold: least urgent level that anybody writes. Test it before formatting a text.
    """

    __slots__ = ("_complained", "_inside", "_json", "_level", "_stream", "_writers", "threshold")

    def __init__(
        self,
        threshold: int = LOGWARN,
        stream: TextIO | None = None,
        writers: Iterable[Writer] = (),
        *,
        form: str = "text",
    ) -> None:
        """Open the log.

        Args:
            threshold: least urgent level of the built-in line, the setting ``loglevel``.
            stream: where the built-in line goes; None for standard error of the moment.
            writers: what the logging plugins do with an event.
            form: ``text`` or ``json``: what the built-in line is, the setting ``log_format``.
        """
        self._level = int(threshold)
        self._json = form == "json"
        self._stream = stream
        self._writers: tuple[Writer, ...] = ()
        self._complained: set[str] = set()
        self._inside: set[int] = set()  # threads that are in a writer
        self.threshold = self._level
        self.writers = tuple(writers)

    @property
    def level(self) -> int:
        """Least urgent level of the built-in line."""
        return self._level

    @level.setter
    def level(self, level: int) -> None:
        self._level = int(level)
        self.writers = self._writers

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The writers, in order; assigning them adjusts ``threshold``.

        A writer says how much it wants by an attribute ``log_level_wanted``, its own or that of
        the object it is a method of; without one it gets everything.
        """
        return self._writers

    @writers.setter
    def writers(self, writers: Iterable[Writer]) -> None:
        self._writers = tuple(writers)
        wanted = [_wanted(writer) for writer in self._writers]
        self.threshold = max(wanted) if wanted else self._level

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
        """Write *text* if *level* is at or below the threshold; see ``Logger.log``."""
        if level > self.threshold:
            return
        event = LogEvent(level, text, plugin, hook, connection, fields)
        if self._writers:
            thread = get_ident()
            if thread in self._inside:  # a writer that logs would call itself
                return
            self._inside.add(thread)
            try:
                if self._written(event):
                    return
            finally:
                self._inside.discard(thread)
        if level <= self._level:
            self._write(event)

    def _written(self, event: LogEvent) -> bool:
        """Ask the writers; True when one of them has taken the event."""
        taken = False
        for writer in self._writers:
            try:
                answer = writer(event)
            except Exception as error:  # noqa: BLE001 - a writer's failure costs its own line only
                self._complain(writer, error)
                continue
            result = answer[0] if isinstance(answer, tuple) and answer else answer
            if result is None or result == DECLINED:
                taken = True
                continue
            return taken or result == OK
        return taken

    def _complain(self, writer: Writer, error: Exception) -> None:
        """Name a writer that failed, once."""
        owner = getattr(writer, "__self__", writer)
        name = str(getattr(owner, "name", "") or getattr(owner, "__qualname__", repr(owner)))
        if name not in self._complained:
            self._complained.add(name)
            reason = str(error) or type(error).__name__
            event = LogEvent(LOGCRIT, f"FATAL PLUGIN ERROR [{name}]: {reason}")
            self._write(event, sys.stderr)

    def _write(self, event: LogEvent, stream: TextIO | None = None) -> None:
        target = stream or self._stream or sys.stderr
        try:
            target.write((event.json if self._json else event.line) + "\n")
            target.flush()
        except (AttributeError, OSError, ValueError):  # closed, full, or None in a daemon
            return


def _wanted(writer: Writer) -> int:
    """Tell the least urgent level that *writer* has a use for."""
    owner = getattr(writer, "__self__", writer)
    wanted = getattr(writer, "log_level_wanted", getattr(owner, "log_level_wanted", LOGDEBUG))
    return int(wanted)
