"""Ordinary plugin code. Its only test is that ``mypy --strict`` accepts it."""

import re
from pathlib import Path
from typing import Literal

from qpsmtpd.plugin import (
    DECLINED,
    DENYSOFT,
    LOGINFO,
    OK,
    Address,
    Answer,
    ConfigError,
    Connection,
    Duration,
    LogEvent,
    LogLevel,
    Parameters,
    Plugin,
    Result,
    Size,
    Transaction,
    blocking,
    log_level,
    status,
)


class Greylisting(Plugin):
    """Defers strangers; all its handlers await services only."""

    eager = True
    args: "Greylisting.Args"

    class Args:
        positional = ("delay",)
        aliases = {"grey_time": "delay"}  # noqa: RUF012 - read once, never changed
        delay: Duration = Duration("50m")  #: before a retry is let through
        window: Duration = Duration("3h")  #: after which it is forgotten
        largest: Size = Size("50M")
        mode: Literal["on", "test"] = "on"
        pattern: re.Pattern[str] | None = None
        directory: Path = Path("/tmp")
        friends: list[str]
        level: LogLevel = LOGINFO

        def check(self) -> None:
            """Hold delay against window."""
            if self.delay > self.window:
                raise ValueError("delay is longer than window")

    def register(self) -> None:
        """Prepare."""
        self.friends = frozenset(self.args.friends)
        self.register_hook("data_post", self.late)
        self.register_hook("queue", "late", first=True)
        if self.args.delay < 1:
            raise ConfigError("delay is too short")

    async def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Answer:
        """Look up the triplet."""
        if self.is_immune(transaction) or recipient.address in self.friends:
            return DECLINED
        connection = transaction.connection
        key = f"{connection.remote_ip} {transaction.sender} {recipient}"
        now = self.clock.now()
        first = await self.store.setdefault(key, now, ttl=self.args.window)
        if isinstance(first, float) and now - first >= self.args.delay:
            return DECLINED
        self.adjust_karma(transaction, -1)
        return self.get_reject(transaction, "Greylisted", f"first at {first}", soft=True)

    async def hook_mail(
        self, transaction: Transaction, sender: Address, params: Parameters
    ) -> Answer | None:
        """Ask for a mail exchanger."""
        answer = await self.dns.mx(sender.host, timeout=5.0)
        if answer.temporary:
            return status.temp_resolver_failed()
        if not answer:
            return self.get_reject_type(DENYSOFT), "no mail exchanger"
        return None

    def late(self, transaction: Transaction) -> Result:
        """Compute only."""
        message = transaction.message
        if message is not None and "Subject" in message.header:
            self.log(self.args.level, "pass, has a subject", transaction)
        return OK

    @blocking
    def hook_quit(self, connection: Connection) -> Result | None:
        """Wait, on a thread where there is an event loop."""
        count = self.wait(self.store.get("count", 0))
        self.log(log_level("LOGINFO"), f"{count} so far", connection, hook="quit")
        return None


class Stricter(Greylisting):
    """Inherits, as ``isa_plugin`` did."""

    class Args(Greylisting.Args):
        strict: bool = False

    async def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Answer:
        """Ask the parent first."""
        answer = await super().hook_rcpt(transaction, recipient, params)
        return DECLINED if answer is OK else answer


class Writer(Plugin):
    """Writes events."""

    def register(self) -> None:
        """Say how much is wanted."""
        self.log_level_wanted = LOGINFO

    def hook_logging(self, event: LogEvent) -> None:
        """Write one."""
        self.config.text("me")
        Path("/dev/null").write_text(event.line, "utf-8")


@blocking
def hook_connect(plugin: Plugin, connection: Connection) -> Answer | None:
    """Stand for a plugin that is a module."""
    plugin.store_auth_results(connection, "iprev=pass")
    return None
