"""Hook results and log levels, with the numbers of qpsmtpd (``Qpsmtpd::Constants``)."""

from enum import IntEnum
from typing import Final

__all__ = [
    "DECLINED",
    "DENY",
    "DENYHARD",
    "DENYSOFT",
    "DENYSOFT_DISCONNECT",
    "DENY_DISCONNECT",
    "DONE",
    "LOGALERT",
    "LOGCRIT",
    "LOGDEBUG",
    "LOGEMERG",
    "LOGERROR",
    "LOGINFO",
    "LOGNOTICE",
    "LOGRADAR",
    "LOGWARN",
    "OK",
    "LogLevel",
    "Result",
    "log_level",
    "result",
]


class Result(IntEnum):
    """What a handler answers."""

    OK = 900
    DENY = 901
    DENYSOFT = 902
    DENY_DISCONNECT = 903
    DENYSOFT_DISCONNECT = 904
    DECLINED = 909
    DONE = 910

    refuses: bool  #: true for the four ways to say no
    disconnects: bool  #: true when the connection is to end after the reply
    temporary: bool  #: true for the refusals a client may retry

    def __init__(self, number: int) -> None:
        self.refuses = 901 <= number <= 904
        self.disconnects = number in {903, 904}
        self.temporary = number in {902, 904}


class LogLevel(IntEnum):
    """How much a log line matters; smaller is more urgent, as in syslog."""

    LOGEMERG = 0
    LOGALERT = 1
    LOGCRIT = 2
    LOGERROR = 3
    LOGWARN = 4
    LOGNOTICE = 5
    LOGINFO = 6
    LOGDEBUG = 7


OK: Final = Result.OK
DENY: Final = Result.DENY
DENYSOFT: Final = Result.DENYSOFT
DENY_DISCONNECT: Final = Result.DENY_DISCONNECT
DENYHARD: Final = Result.DENY_DISCONNECT
DENYSOFT_DISCONNECT: Final = Result.DENYSOFT_DISCONNECT
DECLINED: Final = Result.DECLINED
DONE: Final = Result.DONE

LOGEMERG: Final = LogLevel.LOGEMERG
LOGRADAR: Final = LogLevel.LOGEMERG
LOGALERT: Final = LogLevel.LOGALERT
LOGCRIT: Final = LogLevel.LOGCRIT
LOGERROR: Final = LogLevel.LOGERROR
LOGWARN: Final = LogLevel.LOGWARN
LOGNOTICE: Final = LogLevel.LOGNOTICE
LOGINFO: Final = LogLevel.LOGINFO
LOGDEBUG: Final = LogLevel.LOGDEBUG

_RESULTS = {**Result.__members__, "DENYHARD": Result.DENY_DISCONNECT}
_LEVELS = {**LogLevel.__members__, "LOGRADAR": LogLevel.LOGEMERG}


def result(text: str) -> Result:
    """Turn a name (``DENYSOFT``) or number (``902``) of a configuration file into a result.

    Raises:
        ValueError: no result has that name or number.
    """
    found = _RESULTS.get(text.strip().upper())
    return Result(int(text)) if found is None else found


def log_level(text: str) -> LogLevel:
    """Turn a name (``LOGWARN``, ``warn``) or number (``4``) into a log level.

    Raises:
        ValueError: no level has that name or number.
    """
    name = text.strip().upper()
    found = _LEVELS.get(name if name.startswith("LOG") else "LOG" + name)
    return LogLevel(int(text)) if found is None else found
