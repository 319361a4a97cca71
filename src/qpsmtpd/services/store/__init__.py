"""What outlives a session: values by key, in a namespace for each plugin."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qpsmtpd.services.store.contract import Store, StoreError, Value

if TYPE_CHECKING:
    from qpsmtpd.services.store.asyncio import LoopSqliteStore
    from qpsmtpd.services.store.memory import MemoryStore
    from qpsmtpd.services.store.sqlite import SqliteStore

__all__ = ["LoopSqliteStore", "MemoryStore", "SqliteStore", "Store", "StoreError", "Value"]

_HOMES = {"LoopSqliteStore": "asyncio", "MemoryStore": "memory", "SqliteStore": "sqlite"}


def __getattr__(name: str) -> Any:
    """Find a flavour in its module, so that nobody loads the others (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
