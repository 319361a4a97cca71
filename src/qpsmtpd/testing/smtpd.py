"""A server in memory: plugins, settings and services for a test, and clients to try them."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, Self

from qpsmtpd.config import Config
from qpsmtpd.constants import OK
from qpsmtpd.deploy import reverse
from qpsmtpd.deploy.engine import session_settings
from qpsmtpd.hooks import HOOKS, Chains, Handler
from qpsmtpd.hooks.ask import ask
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.plugin import Plugin
from qpsmtpd.plugin.handler import kind_of
from qpsmtpd.plugin.loader import Services, handlers, load_plugin
from qpsmtpd.services import FakeDns, MemoryStore
from qpsmtpd.smtp import Connection, Session
from qpsmtpd.smtp.reply import encode
from qpsmtpd.testing.client import Client
from qpsmtpd.testing.clock import SharedClock
from qpsmtpd.testing.driver import DRIVERS
from qpsmtpd.testing.log import CapturedLog
from qpsmtpd.testing.plugin import from_class, from_module
from qpsmtpd.testing.queue import MemoryQueue, Queued

__all__ = ["Peer", "Smtpd"]

#: what ``load`` takes: a line of config/plugins, a plugin, its class or module, or one of these
#: and the words of its line
Source = str | Plugin | type[Plugin] | ModuleType | tuple[type[Plugin] | ModuleType, str]

_RIGHTS: Final = ("proxy", "xclient", "xforward")


class Peer:
    """Who is about to connect, as handlers of pre_connection see it."""

    def __init__(self, remote_ip: str, local_port: int, connections_from_ip: int) -> None:
        self.remote_ip = remote_ip
        self.remote_port = 40000
        self.local_ip = "127.0.0.1"
        self.local_port = local_port
        self.connections_from_ip = connections_from_ip
        self.connections = connections_from_ip
        self.max_conn_ip = 0
        self.notes: dict[str, Any] = {}


class Smtpd:
    """A server for one test; the fixture ``smtpd`` is one.

    Attributes:
        driver: "blocking" or "event loop".
        directory: for control files that are really files; made when it is first used.
        plugin_dirs: directories in which ``load`` looks before the bundled plugins.
        services: what plugins reach the world with; ``services.process`` runs programs.
        clock: the time, for plugins and for the time limits of clients.
        dns: names, empty at first.
        store: state of all plugins; see ``stored``.
        log: everything that was logged.
        queued: messages that reached the queue.
        plugins: what was loaded.
        clients: all that have connected.
        arrange: changes the list of all handlers before they are put to use; None for nobody.
        max_conn_ip: the server's limit, for plugins that go by it; 0 for none.
    """

    def __init__(
        self,
        driver: str = "blocking",
        directory: Path | None = None,
        *,
        plugin_dirs: Iterable[str] = (),
        config: Config | None = None,
    ) -> None:
        """Set up a server without plugins that is called mx.example.org.

        Args:
            driver: "blocking" or "event loop".
            directory: where control files may be put; None for one that is made on demand.
            plugin_dirs: where plugins are looked for.
            config: the configuration, in place of an empty one.
        """
        self.driver = driver
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if directory is None and config is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="qpsmtpd-")
            directory = Path(self._temporary.name)
        self._directory = directory
        self.settings = config or Config([str(directory)], {}, toml="")
        self.clock = SharedClock(self._time_passed)
        self._driver = DRIVERS[driver](self.clock)
        self.dns = FakeDns(clock=self.clock)
        self.store = MemoryStore(clock=self.clock)
        self.log = CapturedLog()
        self.services = Services(
            self.settings,
            self.log,
            clock=self._driver.flavoured(self.clock),
            dns=self._driver.flavoured(self.dns),
            store=self._driver.flavoured(self.store),
            wait=self._driver.wait,
            factories={"process": self._driver.process},
        )
        self.plugin_dirs = list(plugin_dirs)
        self.plugins: list[Plugin] = []
        self.queued: list[Queued] = []
        self.clients: list[Client] = []
        self.arrange: Callable[[list[Handler]], list[Handler]] | None = None
        self.max_conn_ip = 0
        self._writers: list[Plugin] = []
        self._hooks: list[tuple[Handler, bool]] = []
        self._chains: Chains | None = None
        self._begun: list[Handler] = []  # have heard post_fork
        self._numbers = itertools.count(1)
        if config is None:
            self.config(me="mx.example.org")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all sessions, and free what the server holds."""
        try:
            self._driver.close()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()

    # Setting up

    @property
    def directory(self) -> Path:
        """The configuration directory, for control files that are really files."""
        if self._directory is None:
            raise ValueError("this server has somebody else's configuration")
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def config(
        self, settings: Mapping[str, Any] | None = None, /, **more: str | float | Iterable[str]
    ) -> None:
        """Set settings; sessions that begin afterwards go by them.

        Args:
            settings: those whose names are no identifiers: ``{"me-auth-results": "none"}``.
            more: all others; a list is a line each, a number or text is one line.

        Raises:
            ConfigError: a setting cannot have that value.
        """
        for name, value in {**(settings or {}), **more}.items():
            lines = [value] if isinstance(value, str | int | float) else value
            texts = [str(int(line) if isinstance(line, bool) else line) for line in lines]
            self.settings.override(name, texts, "test")

    def load(self, *sources: Source, strict: bool = True) -> list[Plugin]:
        """Load plugins, behind those that are loaded already.

        Args:
            sources: each a line of ``config/plugins``; a plugin, its class or its module; or a
                class or module with the rest of its line: ``(Greylisting, "delay=60")``.
            strict: let words nobody has a use for be errors.

        Returns:
            The plugins.

        Raises:
            ConfigError: a line cannot be used.
        """
        found = [self._load(source, strict=strict) for source in sources]
        self.plugins += found
        self._chains = None
        return found

    def load_logging(self, *sources: Source, strict: bool = True) -> list[Plugin]:
        """Load logging plugins, as ``load`` does; ``log`` goes on to hear everything."""
        found = [self._load(source, strict=strict) for source in sources]
        self._writers += found
        self._chains = None
        return found

    def hook(self, name: str, answer: Any, *, first: bool = True) -> Callable[[], None]:
        """Put a handler into a chain, as the plugin "test".

        Args:
            name: a hook, ``rcpt``.
            answer: a function that takes the hook's arguments, of any kind a plugin may have; or
                what it would return: ``(DENY, "no")``.
            first: in front of all plugins, or behind them.

        Returns:
            Call it to take the handler away again.

        Raises:
            KeyError: there is no such hook.
            TypeError: the function does not take the hook's arguments.
        """
        from inspect import signature  # noqa: PLC0415 - slow, and few tests have it

        hook = HOOKS[name]

        def constant(*arguments: object) -> Any:
            return answer

        function = answer if callable(answer) else constant
        signature(function).bind(*hook.arguments)
        entry = Handler("test", hook, function, kind_of(function, hook, "test")), first
        self._hooks.append(entry)
        self._chains = None

        def remove() -> None:
            self._hooks.remove(entry)
            self._chains = None

        return remove

    # Trying out

    def connect(
        self,
        remote_ip: str = "192.0.2.1",
        *,
        remote_host: str = "",
        local_port: int = 25,
        protocol: str = "SMTP",
        proxy: bool = False,
        rights: Iterable[str] | None = None,
        early: bytes = b"",
        prepare: Callable[[Connection], None] | None = None,
    ) -> Client:
        """Let a client connect, and wait for its greeting.

        Args:
            remote_ip: address of the client.
            remote_host: its name; "" to have it looked up in ``dns``.
            local_port: the port it connects to.
            protocol: "SMTP" or "LMTP".
            proxy: it comes in where clients begin with a PROXY header, if ``proxy_from`` has it.
            rights: what it may do beyond the protocol; None to go by ``proxy_from``,
                ``xclient_from`` and ``xforward_from``.
            early: octets it sends before it is greeted.
            prepare: called with the connection before anybody else, to set notes, say.

        Returns:
            The client, to be used in a ``with`` statement.
        """
        self._begin()
        settings = session_settings(self.settings)
        connection = Connection(
            remote_ip,
            40000,
            "127.0.0.1",
            local_port,
            remote_host=remote_host,
            connection_id=f"test-{next(self._numbers)}",
            logger=self.log,
            protocol=protocol,
            rights=self._rights(remote_ip, proxy=proxy) if rights is None else frozenset(rights),
        )
        client = Client(connection)
        if prepare is not None:
            prepare(connection)
        verdict = self._accept(client)
        self.clients.append(client)
        if verdict.result.refuses:
            return client.attach(_Refusal(verdict))
        return client.attach(self._driver.serve(Session(connection, self.chains, settings), early))

    def results(self, hook: str = "") -> list[tuple[str, Any]]:
        """Return who answered what to the latest client; see ``Client.results``."""
        return self.clients[-1].results(hook) if self.clients else []

    def stored(self, plugin: str) -> dict[str, Any]:
        """Return what a plugin has stored, by key.

        Args:
            plugin: its registered name.
        """
        return dict(self.wait(self.store.namespace(plugin).scan()))

    def wait(self, awaitable: Any) -> Any:
        """Run a coroutine of a service, or of an async handler that is called by hand."""
        return self._driver.run(awaitable)

    @property
    def chains(self) -> Chains:
        """The handlers of each hook, in the order in which they are asked."""
        if self._chains is None:
            self._chains = self._compile()
        return self._chains

    # Inside

    def _load(self, source: Source, *, strict: bool) -> Plugin:
        if isinstance(source, str):
            return load_plugin(source, self.services, self.plugin_dirs, strict=strict)
        if isinstance(source, Plugin):
            return source
        what, words = source if isinstance(source, tuple) else (source, "")
        if isinstance(what, ModuleType):
            return from_module(what, words, self.services, strict=strict)
        return from_class(what, words, self.services, strict=strict)

    def _begin(self) -> None:
        """Run post_fork for plugins that were loaded since the last time."""
        for handler in self.chains["post_fork"]:
            if handler not in self._begun:
                self._begun.append(handler)
                ask((handler,), self.log)

    def _compile(self) -> Chains:
        found = handlers([*self._writers, *self.plugins])
        before = [handler for handler, first in reversed(self._hooks) if first]
        behind = [handler for handler, first in self._hooks if not first]
        found = [*before, *found, *behind]
        if self.settings.get("reverse_lookup"):
            found.insert(0, reverse.handler(self.services, self.settings.get("dns_timeout")))
        if not any(handler.hook.name == "queue" for handler in found if handler.plugin != "test"):
            found.append(MemoryQueue(self.queued).handler())
        chains = Chains(found if self.arrange is None else self.arrange(found))
        chains.slow = float("inf")  # a test may stop in the debugger
        self.log.attach(handler.call for handler in chains["logging"])
        self.settings.hook = self._ask_config if chains["config"] else None
        self.settings.user_hook = self._ask_user if chains["user_config"] else None
        return chains

    def _accept(self, client: Client) -> Verdict:
        """Ask the handlers of pre_connection about a client."""
        connection = client.connection
        ip = connection.remote_ip
        others = [it for it in self.clients if it.connection.remote_ip == ip and not it.closed]
        peer = Peer(ip, connection.local_port, len(others))
        peer.max_conn_ip = self.max_conn_ip
        verdict = ask(self.chains["pre_connection"], self.log, peer)
        if verdict.plugin:
            client.note("pre_connection", verdict.plugin, verdict)
        connection.notes.update(peer.notes)
        return verdict

    def _rights(self, ip: str, *, proxy: bool) -> frozenset[str]:
        named = {right: self.settings.get(f"{right}_from") for right in _RIGHTS}
        found = {right for right, networks in named.items() if networks and ip in networks}
        return frozenset(found if proxy else found - {"proxy"})

    def _time_passed(self) -> None:
        self._driver.time_passed()

    def _ask_config(self, name: str) -> tuple[object, ...] | None:
        verdict = ask(self.chains["config"], self.log, name)
        return verdict.values if verdict.result is OK else None

    def _ask_user(self, address: Any, name: str) -> tuple[object, ...] | None:
        verdict = ask(self.chains["user_config"], self.log, address, name)
        return verdict.values if verdict.result is OK else None


class _Refusal:
    """The wire of a client that pre_connection has refused: one reply, and the end."""

    closed = True

    def __init__(self, verdict: Verdict) -> None:
        if verdict.result.temporary:
            code, text = 451, verdict.text or "Sorry, try again later"
        else:
            code, text = 550, verdict.text or "Sorry, service not available for you"
        self._octets = encode(code, "", tuple(text.split("\n")), enhanced=False)

    def send(self, data: bytes) -> None:
        """Send to nobody."""

    def receive(self) -> bytes:
        """Return the reply."""
        octets, self._octets = self._octets, b""
        return octets

    def close(self) -> None:
        """Do nothing: it is closed."""
