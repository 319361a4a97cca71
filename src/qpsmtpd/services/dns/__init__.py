"""Questions to the domain name system: one contract, a blocking, an event-loop and a fake flavour.

Rule: dnspython's codec is loaded with the first answer that has to be read, and nothing of it
beyond the codec is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qpsmtpd.services.dns.contract import Answer, Dns, Status

if TYPE_CHECKING:
    from qpsmtpd.services.dns.asyncio import LoopDns
    from qpsmtpd.services.dns.blocking import BlockingDns
    from qpsmtpd.services.dns.fake import FakeDns

__all__ = ["Answer", "BlockingDns", "Dns", "FakeDns", "LoopDns", "Status"]

_HOMES = {"BlockingDns": "blocking", "FakeDns": "fake", "LoopDns": "asyncio"}


def __getattr__(name: str) -> Any:
    """Find a flavour in its module, so that nobody loads the others (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
