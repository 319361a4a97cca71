"""Testing plugins: a server in memory, under both drivers, with a client that reads like SMTP.

pytest finds the fixture ``smtpd`` by itself where qpsmtpd is installed; see docs/write/testing.md.

Rule: importing this package loads nothing else. The names below are looked up in their modules
when they are first used, since pytest imports the fixture in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpsmtpd.testing.client import Call, Client
    from qpsmtpd.testing.dialog import Dialog, DialogError, DialogSyntaxError
    from qpsmtpd.testing.link import Link, SilenceError
    from qpsmtpd.testing.queue import Queued
    from qpsmtpd.testing.reply import Reply
    from qpsmtpd.testing.smtpd import Smtpd

__all__ = [
    "Call",
    "Client",
    "Dialog",
    "DialogError",
    "DialogSyntaxError",
    "Link",
    "Queued",
    "Reply",
    "SilenceError",
    "Smtpd",
]

_HOMES = {
    "Call": "client",
    "Client": "client",
    "Dialog": "dialog",
    "DialogError": "dialog",
    "DialogSyntaxError": "dialog",
    "Link": "link",
    "Queued": "queue",
    "Reply": "reply",
    "SilenceError": "link",
    "Smtpd": "smtpd",
}


def __getattr__(name: str) -> Any:
    """Find a re-exported name in its module (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
