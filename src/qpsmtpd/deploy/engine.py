"""Configuration, plugins and settings of one process, loaded once and shared by its sessions.

Rule: a session gets all it knows when it begins. What changes later, in a file or by a new
generation, is for the sessions after it.
"""

import itertools
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd import __version__
from qpsmtpd.config import Config, Problem
from qpsmtpd.config.schema import LISTENER_OPTIONS, nearest
from qpsmtpd.constants import LOGCRIT, LOGERROR, LOGINFO, LOGNOTICE, LOGWARN, OK, LogLevel
from qpsmtpd.deploy import reverse
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks import watchdog
from qpsmtpd.hooks.ask import ask
from qpsmtpd.hooks.chain import Chain, Chains
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.message import Storage
from qpsmtpd.plugin.loader import handlers, load_plugins
from qpsmtpd.plugin.services import Services
from qpsmtpd.smtp import Connection, Session, SessionSettings
from qpsmtpd.telemetry.escape import escape
from qpsmtpd.telemetry.log import Log
from qpsmtpd.telemetry.summary import summary

if TYPE_CHECKING:
    from qpsmtpd.address import Address
    from qpsmtpd.deploy.client import Client
    from qpsmtpd.drivers.asyncio import SMTPProtocol
    from qpsmtpd.telemetry.log import LogEvent

__all__ = ["Engine", "session_settings"]

#: threads of a process for handlers that wait in system calls or libraries
_THREADS: Final = 32
_RIGHTS: Final = ("proxy", "xclient", "xforward")
_NO_RIGHTS: Final[frozenset[str]] = frozenset()


def session_settings(config: Config) -> SessionSettings:
    """Work out what sessions have to know of the configuration."""
    greeting = config.text("smtpgreeting") or ""
    return SessionSettings(
        me=config.text("me") or "localhost",
        greeting=greeting,
        version="" if greeting else __version__,
        databytes=config.get("databytes") or 0,
        command_timeout=config.get("timeoutsmtpd") or config.get("timeout"),
        data_timeout=config.get("timeout"),
        data_min_rate=config.get("data_min_rate"),
        session_timeout=config.get("session_timeout"),
        max_line=config.get("max_line"),
        max_text_line=config.get("max_text_line"),
        max_header=config.get("max_header"),
        max_header_fields=config.get("max_header_fields"),
        max_recipients=config.get("max_recipients"),
        max_bad_recipients=config.get("max_bad_recipients"),
        max_errors=config.get("max_errors"),
        max_junk=config.get("max_junk"),
        max_messages=config.get("max_messages"),
        bare_newline=config.get("bare_newline"),
        enhanced_status_codes=config.get("enhanced_status_codes"),
        disabled_extensions=frozenset(config.lines("disable_extensions")),
        auth_results_id=config.text("me-auth-results") or "",
        storage=Storage(
            config.text("spool_dir") or "",
            config.get("size_threshold"),
            config.get("spool_perms"),
        ),
    )


class Engine:
    """All that a worker needs to serve with; made before it is forked."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Load configuration and plugins.

        Args:
            options: ``config_dirs``, ``toml``, ``settings``, ``listeners``, ``generation``; see
                ``deploy.contract``.

        Raises:
            ConfigError: something of the configuration cannot be used.
        """
        self._options = options
        _check_listeners(options.get("listeners") or ())
        self.config = Config(options.get("config_dirs"), toml=options.get("toml"))
        for name, value in (options.get("settings") or {}).items():
            self.config.override(name, value, "command line")
        self.log = Log(LogLevel(self.config.get("loglevel")), form=self.config.get("log_format"))
        self._insist([problem for problem in self.config.check() if not problem.warning])
        self.services = Services(
            self.config,
            self.log,
            factories={
                "clock": self._clock,
                "dns": self._dns,
                "store": self._store,
                "process": self._process,
            },
        )
        search = self.config.lines("plugin_dirs")
        wrong: list[ConfigError] = []
        writers = load_plugins(
            self.config.plugin_lines("logging"), self.services, search, problems=wrong
        )
        self._attach_writers(Chains(handlers(writers))["logging"])
        self.plugins = load_plugins(
            self.config.plugin_lines("plugins"), self.services, search, problems=wrong
        )
        self._insist([Problem.of(error) for error in wrong])
        self.chains = self._compile([*writers, *self.plugins])
        self._told: set[Problem] = set()  #: of the configuration, to the log
        self._tell(self.config.check())
        self.config.hook = self._ask_config if self.chains["config"] else None
        self.config.user_hook = self._ask_user if self.chains["user_config"] else None
        self.settings = session_settings(self.config)
        self._networks = self._read_networks()
        self._version = self.config.version
        self._counter = itertools.count(1)
        self._prefix = ""
        self._executor: ThreadPoolExecutor | None = None
        self.sessions: Any = None  # drivers.asyncio.Sessions, which blocking models never import

    @property
    def logger(self) -> Log:
        """Where generation and workers write."""
        return self.log

    def _insist(self, mistakes: list[Problem]) -> None:
        """Refuse a configuration with mistakes: each is named, on standard error.

        Raises:
            ConfigError: there are some.
        """
        if len(mistakes) == 1:
            raise mistakes[0].error()
        if mistakes:
            self.log.writers = ()
            for problem in mistakes:
                self.log.log(LOGCRIT, str(problem))
            raise ConfigError(f"the configuration has {len(mistakes)} mistakes, named above")

    def _tell(self, problems: list[Problem]) -> None:
        """Log what is wrong with the configuration; each thing once, as long as it is so."""
        for problem in problems:
            if problem in self._told:
                continue
            if problem.warning:
                self.log.log(LOGWARN, str(problem))
            else:
                self.log.log(LOGERROR, f"{problem}; what was there before stays in use")
        self._told = set(problems)

    def _compile(self, plugins: list[Any]) -> Chains:
        found = handlers(plugins)
        if self.config.get("reverse_lookup"):
            found.insert(0, reverse.handler(self.services, self.config.get("dns_timeout")))
        watchdog.watch(found)
        chains = Chains(found)
        chains.slow = self.config.get("slow_hook")
        self._attach_writers(chains["logging"])
        return chains

    def _attach_writers(self, chain: Chain) -> None:
        writers = [handler.call for handler in chain]
        if self._options.get("report"):
            writers.append(report)
        self.log.writers = writers

    # Services of the event loop

    def _clock(self) -> Any:
        from qpsmtpd.services import LoopClock  # noqa: PLC0415 - not in every model

        return LoopClock()

    def _dns(self) -> Any:
        from qpsmtpd.services import LoopDns  # noqa: PLC0415 - only when somebody asks

        servers, seconds = self.config.lines("nameservers"), self.config.get("dns_timeout")
        return LoopDns(servers or None, timeout=seconds)

    def _store(self) -> Any:
        path = self.config.get("state_file")
        if path is None:
            raise ConfigError(
                "a plugin has something to remember: name a file in the setting state_file, in a "
                "directory that the server's user may write to"
            )
        from qpsmtpd.services import LoopSqliteStore  # noqa: PLC0415 - only when used

        return LoopSqliteStore(path)

    def _process(self) -> Any:
        from qpsmtpd.services import LoopProcess  # noqa: PLC0415 - only when used

        return LoopProcess()

    # What a worker calls

    async def start(self) -> None:
        """Prepare a worker: threads, services and the post_fork hook."""
        import asyncio  # noqa: PLC0415 - not in every model

        from qpsmtpd.drivers.asyncio import Sessions  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="blocking")
        self.services.wait = lambda awaitable: asyncio.run_coroutine_threadsafe(
            _as_coroutine(awaitable), loop
        ).result()
        self.sessions = Sessions(
            session_timeout=self.settings.session_timeout,
            executor=self._executor,
            finished=self._finished,
        )
        self._prefix = f"{int(time.time()):x}{os.getpid():x}{secrets.token_hex(1)}"
        ask(self.chains["post_fork"], self.log)

    async def stop(self) -> None:
        """Let go of what ``start`` took."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def pre_connection(self, client: "Client") -> Verdict:
        """Ask the pre_connection hook about a client that was just accepted."""
        return ask(self.chains["pre_connection"], self.log, client)

    def connection(self, client: "Client") -> Connection:
        """Describe a client to plugins."""
        options = client.listener.options
        connection = Connection(
            client.remote_ip or "127.0.0.1",
            client.remote_port,
            client.local_ip,
            client.local_port,
            connection_id=f"{self._prefix}-{next(self._counter)}",
            logger=self.log,
            listener=client.listener.name,
            protocol="LMTP" if "lmtp" in options else "SMTP",
            rights=self._rights(client.remote_ip, proxied=client.listener.proxy),
        )
        connection.notes.update(client.notes)
        connection.mover = lambda ip: client.readdress(ip) is None
        if self.log.threshold >= LOGNOTICE:
            connection.log(LOGNOTICE, f"Connection from {connection.remote_ip}")
        return connection

    def protocol(self, client: "Client", done: Callable[[], None]) -> "SMTPProtocol":
        """Make what serves a client on an event loop.

        Args:
            client: who it is, and where it came in.
            done: to be called once, when the connection is gone.
        """
        from qpsmtpd.drivers.asyncio import SMTPProtocol  # noqa: PLC0415 - not in every model

        session = Session(self.connection(client), self.chains, self.settings)

        def gone() -> None:
            for _ in range(session.messages):
                client.message_taken()
            done()

        return SMTPProtocol(session, self.sessions, gone)

    def tick(self, now: float) -> None:
        """Hold sessions to their limits, and notice edited files; about once a second."""
        if self.sessions is not None:
            self.sessions.sweep(now)
        if self.config.poll() or self.config.version != self._version:
            self.refresh()

    def refresh(self) -> None:
        """Read the settings of sessions anew; a bad one is logged and the old ones stay."""
        self._version = self.config.version
        self._tell(self.config.problems())
        try:
            settings, networks = session_settings(self.config), self._read_networks()
        except ConfigError as error:
            self.log.log(LOGERROR, f"settings stay as they were: {error}")
            return
        self.settings, self._networks = settings, networks

    def reopen(self) -> None:
        """Open log files again: they were rotated."""
        for plugin in self.plugins:
            reopen = getattr(plugin, "reopen", None)
            if reopen is not None:
                reopen()

    # Inside

    def _read_networks(self) -> dict[str, Any]:
        found = {right: self.config.get(f"{right}_from") for right in _RIGHTS}
        return {right: networks for right, networks in found.items() if networks}

    def _rights(self, ip: str, *, proxied: bool) -> frozenset[str]:
        """What the peer may do: only addresses that are named may speak for others."""
        if not self._networks:
            return _NO_RIGHTS
        found = {right for right, networks in self._networks.items() if ip in networks}
        if not proxied:
            found.discard("proxy")
        return frozenset(found)

    def _ask_config(self, name: str) -> tuple[object, ...] | None:
        verdict = ask(self.chains["config"], self.log, name)
        return verdict.values if verdict.result is OK else None

    def _ask_user(self, address: "Address", name: str) -> tuple[object, ...] | None:
        verdict = ask(self.chains["user_config"], self.log, address, name)
        return verdict.values if verdict.result is OK else None

    def _finished(self, session: Session) -> None:
        """Log a session in one line."""
        if self.log.threshold >= LOGINFO:
            session.connection.log(LOGINFO, summary(session.counts, session.refusals))


def _check_listeners(listeners: Iterable[Mapping[str, Any]]) -> None:
    """Refuse words behind an address that nobody goes by.

    Raises:
        ConfigError: there is one.
    """
    for listener in listeners:
        for word in listener["options"]:
            if word not in LISTENER_OPTIONS:
                raise ConfigError(
                    f"listener {listener['address']}: unknown option {word!r}"
                    f"{nearest(word, LISTENER_OPTIONS)}; take the word out"
                )


async def _as_coroutine(awaitable: Any) -> Any:
    return await awaitable


def report(event: "LogEvent") -> None:
    """Print what a person who tries qpsmtpd wants to see: messages, refusals and trouble."""
    if event.level <= LOGWARN or event.fields.get("verdict"):
        print(time.strftime("%H:%M:%S"), escape(event.text), flush=True)  # noqa: T201 - its task
