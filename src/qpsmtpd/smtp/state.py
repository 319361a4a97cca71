"""States of a session, and the events it gives to its driver."""

from collections.abc import Generator
from enum import Enum, IntEnum
from typing import Any, Final, TypeAlias, TypeVar

from qpsmtpd.hooks.chain import HookCall

__all__ = ["CLOSED", "FLUSH", "NEED_DATA", "Event", "Goodbye", "Script", "Signal", "State"]


class State(IntEnum):
    """Where a session stands; for tests, logs and the console."""

    PROXY = 0  #: waiting for the PROXY header
    GREETING = 1
    HELLO = 2  #: waiting for HELO or EHLO
    READY = 3  #: no transaction
    MAIL = 4  #: sender accepted
    RCPT = 5  #: recipient accepted
    DATA = 6  #: receiving a message
    BDAT = 7  #: between two chunks of a message
    CLOSED = 8


class Signal(Enum):
    """What a session wants of its driver, other than a hook run."""

    NEED_DATA = "feed what arrives"
    FLUSH = "send what there is, then go on"
    CLOSED = "send what there is, then close"


NEED_DATA: Final = Signal.NEED_DATA
FLUSH: Final = Signal.FLUSH
CLOSED: Final = Signal.CLOSED

Event: TypeAlias = Signal | HookCall
_T = TypeVar("_T")
#: a procedure of the session: yields events; each hook call is answered with its verdict
Script: TypeAlias = Generator[Event, Any, _T]


class Goodbye(Exception):  # noqa: N818 - not an error: the way out of any depth of procedures
    """The session ends here: the client left, was too slow, or the server shuts down."""
