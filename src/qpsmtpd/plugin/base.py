"""The base class of plugins.

Rule: a plugin object is frozen after ``register``. What belongs to a session goes to the notes of
its connection or transaction, what outlives it to the store; so a plugin is the same in every
deployment model, and two sessions can be inside it at once.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from qpsmtpd.constants import LOGDEBUG, LogLevel, Result
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Handler, Kind
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.hooks.watchdog import code_of
from qpsmtpd.plugin.args import declare
from qpsmtpd.plugin.handler import (
    check_parameters,
    check_register,
    find_hook,
    kind_of,
)
from qpsmtpd.plugin.rejecting import REJECT_TYPES, Rejecting, connection_of

if TYPE_CHECKING:
    from qpsmtpd.config import Config
    from qpsmtpd.logger import Logger
    from qpsmtpd.plugin.rejecting import About
    from qpsmtpd.plugin.services import Services
    from qpsmtpd.services import Clock, Dns, Process, Store

__all__ = ["Plugin", "Registration", "prepare"]

T = TypeVar("T")

_LEVELS: Final = range(8)


class Registration(NamedTuple):
    """A handler, and its place among those of other plugins."""

    handler: Handler
    first: bool  #: in front of all that were registered before it


class Plugin(Rejecting):
    """What every plugin has.

    A plugin derives from it and defines ``hook_*`` methods with the arguments of the hook table,
    a nested class ``Args``, and ``register`` if it has something to prepare.

    Attributes:
        name: registered name, ``queue::qmail_2dqueue`` for ``queue/qmail-queue``.
        args: the arguments of its line, an instance of its ``Args``.
        config_args: the words of its line, as they are.
        reject: argument ``reject`` of the line; None if there is none.
        reject_type: argument ``reject_type``; None if there is none.
        loglevel: argument ``loglevel``; None if there is none.
        timeout: seconds each of its handlers may take; None for the hook's own default.
        on_error: what a failure of its handlers counts as.
        offload: True if its plain handlers are to run on threads.
        warnings: words of the line that nobody had a use for.
    """

    eager: bool = False
    """True for async handlers that wait for nothing but services."""

    log_level_wanted: int = LOGDEBUG
    """Least urgent level a logging plugin has a use for."""

    _frozen = False

    args: Any
    loglevel: Any
    timeout: Any

    def __init__(self, name: str, words: Sequence[str], services: "Services") -> None:
        """Read the line; done by the loader.

        Args:
            name: registered name.
            words: what follows the name on the line.
            services: what the plugin reaches the world with.

        Raises:
            ConfigError: the line cannot be used.
        """
        self.name = name
        self.config_args = list(words)
        self.services = services
        cls = getattr(type(self), "Args", None)
        try:
            declaration = declare(cls)
        except TypeError as error:
            raise ConfigError(f"plugin {name} cannot be used: {error}") from None
        try:
            parsed = declaration.parse(words)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error.text}") from None
        self.warnings = [f"{name}: {warning}" for warning in parsed.warnings]
        self.args = parsed.args
        generic = parsed.generic
        self.reject = generic["reject"]
        self.reject_type = generic["reject_type"]
        self.loglevel = generic["loglevel"]
        self.timeout = generic["timeout"]
        self.on_error: Result = generic["on_error"]
        self.offload: bool = generic["offload"]
        own = declaration.fields
        self._limit: float | None = None if "timeout" in own else self.timeout
        self._levels = self._adjusted_levels(None if "loglevel" in own else self.loglevel)
        if self.reject_type is not None and str(self.reject_type).lower() not in REJECT_TYPES:
            self.warnings.append(
                f"{name}: reject_type {self.reject_type!r} is ignored; known are "
                + ", ".join(REJECT_TYPES)
            )
        self._registrations: list[Registration] = []
        self._hooks: dict[int, list[str]] = {}  # of each registered function, by id of its code

    def __setattr__(self, name: str, value: object) -> None:
        if self._frozen:
            raise AttributeError(_frozen_text(self.name, name))
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if self._frozen:
            raise AttributeError(_frozen_text(self.name, name))
        object.__delattr__(self, name)

    def __repr__(self) -> str:
        return f"<plugin {self.name}>"

    # Services

    @property
    def config(self) -> "Config":
        """The configuration."""
        return self.services.config

    @property
    def logger(self) -> "Logger":
        """The log of the process."""
        return self.services.logger

    @property
    def store(self) -> "Store":
        """This plugin's part of the store: state that outlives a session."""
        return self.services.namespace(self.name)

    @property
    def dns(self) -> "Dns":
        """Look-ups."""
        return self.services.dns

    @property
    def clock(self) -> "Clock":
        """Time, and sleep."""
        return self.services.clock

    @property
    def process(self) -> "Process":
        """Programs."""
        return self.services.process

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Run a service's coroutine to its end; for ``@blocking`` handlers only.

        Returns:
            What the coroutine returned.
        """
        return cast("T", self.services.wait(awaitable))

    # Registration

    def register(self) -> None:
        """Prepare: check arguments, read files, register further handlers.

        Raises:
            ConfigError: the line cannot be used; file and line are added by the loader.
        """

    def register_hook(
        self, name: str, method: Callable[..., Any] | str, *, first: bool = False
    ) -> None:
        """Register a handler; those called ``hook_<name>`` are registered already.

        Args:
            name: a hook.
            method: a bound method, the name of one, or a function that takes the plugin first.
            first: put it in front of all handlers registered so far, of other plugins too.

        Raises:
            ConfigError: no such hook, or the method cannot answer it.
            AttributeError: no such method, or ``register`` is over.
        """
        if self._frozen:
            raise AttributeError(f"{self.name}: register_hook works inside register() only")
        hook = find_hook(name, self.name)
        call = getattr(self, method) if isinstance(method, str) else method
        if getattr(call, "__self__", None) is None and not isinstance(method, str):
            call = MethodType(call, self)
        check_parameters(call, hook, self.name)
        kind = kind_of(call, hook, self.name, offload=self.offload)
        handler = Handler(
            self.name,
            hook,
            call,
            kind,
            timeout=self._limit,
            on_error=self.on_error,
            eager=self.eager and kind is Kind.COROUTINE,
        )
        self._registrations.append(Registration(handler, first))
        hooks = self._hooks.setdefault(id(code_of(call)), [])
        if hook.name not in hooks:
            hooks.append(hook.name)

    def handlers(self) -> list[Handler]:
        """Return the handlers, in the order in which they were registered."""
        return [registration.handler for registration in self._registrations]

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """The handlers with their places; for ``loader.handlers``."""
        return tuple(self._registrations)

    # Log

    def log(self, level: int, text: str, about: "About | None" = None, *, hook: str = "") -> None:
        """Write a line; the argument ``loglevel`` of the plugin's line may change its level.

        By convention a text that tells a decision begins with ``pass``, ``fail``, ``skip``,
        ``error`` or ``info``, for the log tools.

        Args:
            level: a log level.
            text: what happened.
            about: the connection or transaction it is about.
            hook: name of the hook; found by itself when left out.
        """
        level = self._levels[level]
        connection = None if about is None else connection_of(about)
        logger = self.services.logger if connection is None else connection.logger
        if level <= logger.threshold:
            hook = hook or self._current_hook()
            logger.log(level, text, plugin=self.name, hook=hook, connection=connection)

    def _current_hook(self) -> str:
        """Find the hook this plugin is in, from the stack; only for a line that is written."""
        ambiguous: list[str] = []
        frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to the stack
        while frame is not None:
            hooks = self._hooks.get(id(frame.f_code), [])
            if len(hooks) == 1:
                return hooks[0]
            ambiguous = ambiguous or hooks
            if ambiguous:  # one function for several hooks: whoever called it knows
                handler = frame.f_locals.get("handler")
                if isinstance(handler, Handler) and handler.plugin == self.name:
                    return handler.hook.name
            frame = frame.f_back
        return ambiguous[0] if ambiguous else ""

    def _adjusted_levels(self, loglevel: str | None) -> tuple[int, ...]:
        """Turn the argument ``loglevel`` to a table of levels: fixed, or shifted by +N or -N."""
        text = (loglevel or "").upper().removeprefix("LOG")
        fixed = {level.name.removeprefix("LOG"): level.value for level in LogLevel}
        if not text:
            return tuple(_LEVELS)
        if text[0] in "+-" and text[1:].isdecimal() and len(text) == 2:
            return tuple(min(7, max(0, level + int(text))) for level in _LEVELS)
        if len(text) == 1 and text in "01234567":
            fixed[text] = int(text)
        if text not in fixed:
            self.warnings.append(
                f"{self.name}: loglevel {loglevel!r} is ignored; write 0 to 7, +N or -N"
            )
            return tuple(_LEVELS)
        return (fixed[text],) * len(_LEVELS)


def _frozen_text(plugin: str, name: str) -> str:
    return (
        f"{plugin}.{name} cannot be set after register(): every session shares this object; "
        "keep what belongs to a session in connection.notes or transaction.notes, "
        "and what outlives it in self.store"
    )


def prepare(plugin: Plugin) -> None:
    """Register a plugin's handlers, call its ``register``, freeze it; the loader does, once.

    Raises:
        ConfigError: a handler cannot be used, or ``register`` said so.
    """
    for attribute in dir(type(plugin)):
        name = attribute.removeprefix("hook_")
        if name != attribute and name not in HOOKS:
            find_hook(name, plugin.name)  # which says what was probably meant
    for hook in HOOKS.values():
        if hasattr(plugin, hook.method):
            plugin.register_hook(hook.name, hook.method)
    check_register(plugin.register, plugin.name)
    plugin.register()
    object.__setattr__(plugin, "_frozen", True)
