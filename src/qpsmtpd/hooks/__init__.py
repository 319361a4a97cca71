"""Where protocol and plugins meet: the hook table, handlers, chains and verdicts."""

from qpsmtpd.hooks.chain import Chains, Handler, HookCall, Kind
from qpsmtpd.hooks.spec import HOOKS, Hook, Scope
from qpsmtpd.hooks.verdict import PASS, Verdict

__all__ = [
    "HOOKS",
    "PASS",
    "Chains",
    "Handler",
    "Hook",
    "HookCall",
    "Kind",
    "Scope",
    "Verdict",
]
