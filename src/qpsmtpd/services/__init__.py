"""What a plugin may ask of the world: the same methods in every deployment model.

A service is a ``Protocol`` whose waiting methods are ``async def``, with two implementations.
The blocking one never suspends, so its coroutines end on their first step and need no event
loop; the other waits on the running loop, and may be stepped outside a task.

Rule: importing this package loads neither asyncio, sqlite3, dns nor subprocess. The names below
are looked up in their modules when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpsmtpd.services.clock import Clock, FakeClock, LoopClock, SystemClock
    from qpsmtpd.services.dns import Answer, BlockingDns, Dns, FakeDns, LoopDns, Status
    from qpsmtpd.services.process import (
        BlockingProcess,
        Finished,
        LoopProcess,
        Process,
        ProcessError,
    )
    from qpsmtpd.services.store import (
        LoopSqliteStore,
        MemoryStore,
        SqliteStore,
        Store,
        StoreError,
    )

__all__ = [
    "Answer",
    "BlockingDns",
    "BlockingProcess",
    "Clock",
    "Dns",
    "FakeClock",
    "FakeDns",
    "Finished",
    "LoopClock",
    "LoopDns",
    "LoopProcess",
    "LoopSqliteStore",
    "MemoryStore",
    "Process",
    "ProcessError",
    "SqliteStore",
    "Status",
    "Store",
    "StoreError",
    "SystemClock",
]

_MODULES = {
    "clock": ("Clock", "FakeClock", "LoopClock", "SystemClock"),
    "dns": ("Answer", "BlockingDns", "Dns", "FakeDns", "LoopDns", "Status"),
    "process": ("BlockingProcess", "Finished", "LoopProcess", "Process", "ProcessError"),
    "store": ("LoopSqliteStore", "MemoryStore", "SqliteStore", "Store", "StoreError"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Find a re-exported name in its module (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
