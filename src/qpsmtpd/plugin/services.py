"""What the loader gives each plugin to reach the world with."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from qpsmtpd.hooks.chain import step

if TYPE_CHECKING:
    from qpsmtpd.config import Config
    from qpsmtpd.logger import Logger
    from qpsmtpd.services import Clock, Dns, Process, Store

__all__ = ["Services"]


class Services:
    """The services of one process; the deployment model decides of which flavour.

    Attributes may be assigned at any time: plugins look them up when they use them. One that was
    not given is made by its factory when it is first used, so that a process in which no plugin
    asks questions never imports what answers them.

    Attributes:
        config: the configuration.
        logger: the log of the process.
        clock: time and sleep.
        dns: look-ups.
        process: programs.
        wait: runs a service's coroutine to its end for a ``@blocking`` handler.
    """

    __slots__ = (
        "_namespaces",
        "_store",
        "clock",
        "config",
        "dns",
        "factories",
        "logger",
        "process",
        "wait",
    )

    clock: "Clock"
    dns: "Dns"
    process: "Process"

    def __init__(
        self,
        config: "Config",
        logger: "Logger",
        *,
        clock: "Clock | None" = None,
        store: "Store | None" = None,
        dns: "Dns | None" = None,
        process: "Process | None" = None,
        wait: Callable[[Awaitable[Any]], Any] = step,
        factories: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        """Collect the services.

        Args:
            config: the configuration.
            logger: the log.
            clock: time; None to have it made.
            store: state that outlives a session; None to have it made.
            dns: look-ups; None to have it made.
            process: programs; None to have it made.
            wait: runs a coroutine to its end where waiting is allowed.
            factories: by name of a service, a function that makes it.
        """
        self.config = config
        self.logger = logger
        self.wait = wait
        self.factories = dict(factories or {})
        self._namespaces: dict[str, Store] = {}
        for name, service in (("clock", clock), ("dns", dns), ("process", process)):
            if service is not None:
                setattr(self, name, service)
        if store is not None:
            self.store = store

    def __getattr__(self, name: str) -> Any:
        """Make a service that is used for the first time."""
        factories = object.__getattribute__(self, "factories")
        name = name.removeprefix("_")
        if name not in factories:
            raise AttributeError(f"this process has no service {name!r}")
        setattr(self, name, factories[name]())
        return getattr(self, name)

    @property
    def store(self) -> "Store":
        """State that outlives a session, all namespaces of it."""
        found: Store = self._store
        return found

    @store.setter
    def store(self, store: "Store") -> None:
        self._store = store
        self._namespaces.clear()

    def namespace(self, name: str) -> "Store":
        """Return the part of the store that belongs to the plugin *name*."""
        found = self._namespaces.get(name)
        if found is None:
            found = self._namespaces[name] = self.store.namespace(name)
        return found
