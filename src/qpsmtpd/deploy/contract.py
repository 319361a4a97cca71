"""What a worker needs of the engine it serves with, and of the protocols the engine makes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from qpsmtpd.logger import Logger

if TYPE_CHECKING:
    from qpsmtpd.deploy.client import Client
    from qpsmtpd.hooks.verdict import Verdict

__all__ = ["Engine", "EngineFactory", "ServedProtocol"]


class ServedProtocol(asyncio.Protocol):
    """One client on an event loop."""

    def shutdown(self) -> None:
        """Say 421 4.3.2 at the next command boundary and close (RFC 5321 §3.8).

        May be called in any state, and more than once.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """End now, whatever is going on; ``connection_lost`` follows."""
        raise NotImplementedError


class Engine(Protocol):
    """Plugins, chains and settings, loaded once and shared by the workers forked after it."""

    @property
    def logger(self) -> Logger:
        """Where generation and workers write."""
        ...

    async def start(self) -> None:
        """Prepare a worker: called once in each, inside its loop, before it accepts."""
        ...

    async def stop(self) -> None:
        """Let go of what ``start`` took: called when the last session has ended."""
        ...

    def pre_connection(self, client: "Client") -> "Verdict":
        """Ask the pre_connection hook about a client that was just accepted."""
        ...

    def protocol(self, client: "Client", done: Callable[[], None]) -> ServedProtocol:
        """Make the protocol for a client.

        Args:
            client: who it is, and where it came in.
            done: to be called once, from ``connection_lost``.
        """
        ...

    def tick(self, now: float) -> None:
        """Do what is due; called about once a second in each worker.

        Args:
            now: time of the loop, seconds.
        """
        ...

    def reopen(self) -> None:
        """Open log files again: they were rotated."""
        ...


class EngineFactory(Protocol):
    """Makes an engine in a process that has no privileges left and no loop yet."""

    def __call__(self, options: Mapping[str, Any]) -> Engine:
        """Load configuration and plugins.

        Args:
            options: ``Options.engine_options`` with ``listeners`` and ``generation`` added.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        ...
