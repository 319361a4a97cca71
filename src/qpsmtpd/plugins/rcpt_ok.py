"""rcpt_ok - take recipients in our domains, refuse all others

DESCRIPTION

The last plugin on rcpt: what no plugin before it has decided is decided here. Recipients of relay
clients and whitelisted clients are taken. A recipient without a domain is taken if it is
postmaster or abuse, which every host has (RFC 5321 §4.5.1, RFC 2142).

An empty rcpthosts means that nothing but `me` is taken.

CONTROL FILES

rcpthosts: domains we take mail for, one on each line. A line that starts with a dot stands for
all domains below it.
morercpthosts: a map (`morercpthosts.cdb`) of further domains.
me: our own name, always taken.

RESULTS

rcpt: OK; DENY `Relaying denied (#5.7.1)`.

SEE ALSO

relay, badrcptto
"""

from qpsmtpd.plugin import LOGINFO, OK, Address, Answer, Plugin, Transaction, status

_LOCAL = frozenset({"postmaster", "abuse"})


class _Hosts:
    """rcpthosts, read once for each version of it."""

    __slots__ = ("current",)

    def __init__(self) -> None:
        self.current: tuple[list[str] | None, frozenset[str]] = (None, frozenset())


class RcptOk(Plugin):
    """Knows our domains."""

    def register(self) -> None:
        """Set up the table."""
        self.hosts = _Hosts()

    def hook_rcpt(self, transaction: Transaction, recipient: Address, params: object) -> Answer:
        """Decide."""
        if self.is_immune(transaction):
            return OK
        host = recipient.host.lower()
        if not host and recipient.user.lower() in _LOCAL:
            host = (self.config.text("me") or "").lower()
        if host and self.is_ours(host):
            return OK
        self.log(LOGINFO, "fail, relaying denied", transaction)
        return status.relaying_denied()

    def is_ours(self, host: str) -> bool:
        """True for a domain we take mail for; *host* in lower case."""
        lines = self.config.lines("rcpthosts")
        known, hosts = self.hosts.current
        if lines is not known:
            hosts = frozenset(line.lower() for line in lines)
            self.hosts.current = lines, hosts
        if host in hosts or host == (self.config.text("me") or "").lower():
            return True
        dot = host.find(".")
        while dot >= 0:
            if host[dot:] in hosts:
                return True
            dot = host.find(".", dot + 1)
        return host in self.config.map("morercpthosts")
