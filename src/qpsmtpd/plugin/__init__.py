"""What a plugin author imports.

Rule: importing this package loads neither smtp, message, services nor telemetry; those names are
looked up in their modules when a plugin first uses them (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYHARD,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    LOGALERT,
    LOGCRIT,
    LOGDEBUG,
    LOGEMERG,
    LOGERROR,
    LOGINFO,
    LOGNOTICE,
    LOGRADAR,
    LOGWARN,
    OK,
    LogLevel,
    Result,
    log_level,
    result,
)
from qpsmtpd.errors import (
    AddressError,
    ConfigError,
    HookTimeoutError,
    QpsmtpdError,
    StorageError,
)
from qpsmtpd.plugin.base import Plugin
from qpsmtpd.plugin.handler import blocking
from qpsmtpd.plugin.quantity import Duration, Size
from qpsmtpd.plugin.rejecting import Answer

if TYPE_CHECKING:
    from qpsmtpd import status
    from qpsmtpd.address import Address
    from qpsmtpd.config import Config
    from qpsmtpd.message import Header, Message
    from qpsmtpd.services import Clock, Dns, Process, ProcessError, Status, Store, StoreError
    from qpsmtpd.services.dns import Answer as DnsAnswer
    from qpsmtpd.smtp.connection import Connection
    from qpsmtpd.smtp.transaction import Parameters, Transaction
    from qpsmtpd.telemetry import LogEvent, escape, mask

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
    "Address",
    "AddressError",
    "Answer",
    "Clock",
    "Config",
    "ConfigError",
    "Connection",
    "Dns",
    "DnsAnswer",
    "Duration",
    "Header",
    "HookTimeoutError",
    "LogEvent",
    "LogLevel",
    "Message",
    "Parameters",
    "Plugin",
    "Process",
    "ProcessError",
    "QpsmtpdError",
    "Result",
    "Size",
    "Status",
    "StorageError",
    "Store",
    "StoreError",
    "Transaction",
    "blocking",
    "escape",
    "log_level",
    "mask",
    "result",
    "status",
]

#: where the names that are looked up on first use live: module, and name in it
_HOMES = {
    "Address": ("qpsmtpd.address", "Address"),
    "Config": ("qpsmtpd.config", "Config"),
    "Connection": ("qpsmtpd.smtp.connection", "Connection"),
    "DnsAnswer": ("qpsmtpd.services.dns", "Answer"),
    **{name: ("qpsmtpd.message", name) for name in ("Header", "Message")},
    **{
        name: ("qpsmtpd.services", name)
        for name in ("Clock", "Dns", "Process", "ProcessError", "Status", "Store", "StoreError")
    },
    **{name: ("qpsmtpd.smtp.transaction", name) for name in ("Parameters", "Transaction")},
    **{name: ("qpsmtpd.telemetry", name) for name in ("LogEvent", "escape", "mask")},
}


def __getattr__(name: str) -> Any:
    """Find a name that is imported on first use."""
    if name == "status":
        found: Any = import_module("qpsmtpd.status")
    elif name in _HOMES:
        module, attribute = _HOMES[name]
        found = getattr(import_module(module), attribute)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found
