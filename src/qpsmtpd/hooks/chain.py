"""Handlers compiled to chains, and the runners that need no event loop.

Rule: what a handler is (plain, blocking, coroutine; its timeout; what its failure means) is
decided once, when its plugin is loaded. A runner never inspects a function or a result for it.

A chain is a tuple of handlers in the order of ``config/plugins``. The first result other than
DECLINED ends it. A handler that raises, or returns what is no result, is logged and counts as its
``on_error``, which is DECLINED unless the plugin's line says otherwise.
"""

from collections.abc import Awaitable, Callable, Generator, Iterable
from enum import Enum
from time import perf_counter
from typing import Any, Final, cast

from qpsmtpd.constants import DECLINED, LOGCRIT, LOGDEBUG, LOGERROR, Result
from qpsmtpd.hooks.ask import ask
from qpsmtpd.hooks.slow import name_slow
from qpsmtpd.hooks.spec import HOOKS, Hook
from qpsmtpd.hooks.steps import Ended, Steps, new
from qpsmtpd.hooks.verdict import PASS, Verdict, read

__all__ = [
    "Chain",
    "Chains",
    "Handler",
    "HookCall",
    "Kind",
    "Suspended",
    "begin",
    "resume",
    "run",
    "run_blocking",
    "step",
]


class Kind(Enum):
    """How a handler is to be called."""

    PLAIN = "plain"  #: computes and returns
    BLOCKING = "blocking"  #: waits in system calls or libraries; a thread of its own in a loop
    COROUTINE = "coroutine"  #: awaits services or asyncio


class Handler:
    """One plugin's answer to one hook."""

    __slots__ = (
        "call",
        "eager",
        "hook",
        "inline",
        "kind",
        "on_error",
        "plugin",
        "timeout",
    )

    def __init__(
        self,
        plugin: str,
        hook: Hook,
        call: Callable[..., Any],
        kind: Kind = Kind.PLAIN,
        *,
        timeout: float | None = None,
        on_error: Result = DECLINED,
        eager: bool = False,
    ) -> None:
        """Describe a handler.

        Args:
            plugin: registered name of its plugin.
            hook: the hook it answers.
            call: bound method or function; takes the hook's arguments.
            kind: how to call it.
            timeout: seconds it may take; None for the hook's own default.
            on_error: what a failure counts as.
            eager: for a coroutine that awaits nothing but services: it may be stepped outside
                a task until it really has to wait.
        """
        self.plugin = plugin
        self.hook = hook
        self.call = call
        self.kind = kind
        self.timeout = hook.timeout if timeout is None else timeout
        self.on_error = on_error
        self.eager = eager
        self.inline = kind is Kind.PLAIN

    def __repr__(self) -> str:
        return f"<{self.kind.value} handler {self.plugin} {self.hook.method}>"


Chain = tuple[Handler, ...]


class Chains(dict[str, Chain]):
    """The chain of every hook, by name; frozen by convention once built.

    Attributes:
        slow: seconds a plain handler may keep an event loop before it is named in the log;
            infinite where nobody but its own client waits for it.
    """

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        super().__init__()
        self.slow = float("inf")
        found: dict[str, list[Handler]] = {name: [] for name in HOOKS}
        for handler in handlers:
            found[handler.hook.name].append(handler)
        self.update((name, tuple(chain)) for name, chain in found.items())


class Suspended:
    """A coroutine that was begun and has to wait; awaiting this carries on with it."""

    __slots__ = ("_steps", "_yielded")

    def __init__(self, steps: Steps, yielded: object) -> None:
        self._steps = steps
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, Any]:
        steps, yielded = self._steps, self._yielded
        while not isinstance(yielded, Ended):
            try:
                sent = yield yielded
            except BaseException as error:  # noqa: BLE001 - passed on, whatever it is
                yielded = steps.throw(error)
            else:
                yielded = steps.send(sent)
        return yielded.value


class HookCall:
    """A chain that has to wait: a driver runs what is left of it, and hands the verdict in."""

    __slots__ = ("arguments", "chain", "chains", "connection", "hook", "pending", "watched")

    def __init__(
        self,
        hook: str,
        chains: Chains,
        arguments: tuple[object, ...],
        connection: Any,  # smtp.Connection, which this layer does not know
        *,
        watched: bool = False,
        chain: Chain = (),
    ) -> None:
        """Prepare a call.

        Args:
            hook: name of the hook.
            chains: all chains; observers are found there.
            arguments: what each handler gets.
            connection: whose log, results and trace are told.
            watched: somebody wants to know of handlers that decline, too.
            chain: handlers still to be asked.
        """
        self.hook = hook
        self.chains = chains
        self.chain = chain
        self.arguments = arguments
        self.connection = connection
        self.watched = watched
        self.pending: Suspended | None = None  #: the first of ``chain``, begun but not finished

    def __repr__(self) -> str:
        return f"<HookCall {self.hook} {[handler.plugin for handler in self.chain]}>"

    def settle(self, handler: Handler, value: object) -> Verdict | None:
        """Account for what *handler* returned.

        Returns:
            The verdict that ends the chain, or None when the next handler is to be asked.
        """
        return _settle(self.hook, self.chains, self.connection, self.watched, handler, value)

    def fail(self, handler: Handler, error: BaseException) -> Verdict | None:
        """Account for a handler that raised or took too long; returns as ``settle`` does."""
        reason = str(error) or type(error).__name__
        text = f"FATAL PLUGIN ERROR [{handler.plugin}]: {reason}"
        _log(self.connection, LOGCRIT, text, handler, error=error)
        return _unusable(self.hook, self.chains, self.connection, self.watched, handler)


def _settle(
    hook: str,
    chains: Chains,
    connection: Any,
    watched: bool,  # noqa: FBT001 - hot
    handler: Handler,
    value: object,
) -> Verdict | None:
    """See ``HookCall.settle``."""
    verdict = read(value, handler.plugin)
    if verdict is None:
        text = f"Plugin {handler.plugin}, hook {hook} returned {value!r}"
        _log(connection, LOGERROR, text, handler)
        return _unusable(hook, chains, connection, watched, handler)
    result = verdict.result
    if result is DECLINED:
        if watched:
            _report(hook, chains, connection, handler, verdict)
        return None
    connection.results.append((handler.plugin, hook, result))
    if watched or (result.refuses and chains["deny"]):
        _report(hook, chains, connection, handler, verdict)
    return verdict


def _unusable(
    hook: str,
    chains: Chains,
    connection: Any,
    watched: bool,  # noqa: FBT001 - as above
    handler: Handler,
) -> Verdict | None:
    """Let a handler whose answer cannot be used count as its ``on_error``."""
    if handler.on_error is DECLINED:
        return None
    return _settle(hook, chains, connection, watched, handler, handler.on_error)


def _report(
    hook: str, chains: Chains, connection: Any, handler: Handler, verdict: Verdict
) -> None:
    """Tell the trace, the log and the observers."""
    result = verdict.result
    if connection.trace is not None:
        connection.trace(hook, handler.plugin, verdict)
    if connection.logger.threshold >= LOGDEBUG:
        text = f"Plugin {handler.plugin}, hook {hook} returned {result.name}"
        text = f"{text}, {verdict.text}" if verdict.lines else text
        _log(connection, LOGDEBUG, text, handler)
    observers = chains["deny" if result.refuses else "ok"]
    if observers:
        ask(observers, connection.logger, connection, handler.plugin, result, verdict.text)


def _log(connection: Any, level: int, text: str, handler: Handler, **facts: object) -> None:
    connection.logger.log(
        level, text, plugin=handler.plugin, hook=handler.hook.name, connection=connection, **facts
    )


_idle: list[Steps] = []  # between two coroutines

#: stands for the value of a handler that can only be run where waiting is allowed
_LATER: Final = object()


class _Failed:
    """What a handler returned that raised instead."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def run(
    hook: str,
    chains: Chains,
    arguments: tuple[object, ...],
    connection: Any,
    watched: bool = False,  # noqa: FBT001, FBT002 - hot
    chain: Chain | None = None,
) -> Verdict | HookCall:
    """Run a chain as far as nothing has to wait.

    Args:
        hook: name of the hook.
        chains: all chains.
        arguments: what each handler gets.
        connection: whose log, results and trace are told.
        watched: somebody wants to know of handlers that decline, too.
        chain: handlers still to be asked; None for all of the hook's.

    Returns:
        The verdict, or what is left to be run where waiting is allowed.
    """
    left = chains[hook] if chain is None else chain
    found: Verdict | HookCall | None = None
    started = perf_counter()  # of them all: to read the clock costs as much as a handler
    for handler in left:
        try:
            if handler.inline:
                value = handler.call(*arguments)
            elif handler.eager:
                value = begin(handler, arguments)
            else:
                value = _LATER
        except Exception as error:  # noqa: BLE001 - a handler's failure costs that handler only
            value = _Failed(error)
        if watched or (value is not None and value is not DECLINED):
            found = _account(hook, chains, arguments, connection, watched, left, handler, value)
            if found is not None:
                break
    if perf_counter() - started > chains.slow and left:
        name_slow(hook, left, handler, perf_counter() - started, chains.slow, connection)
    return found or PASS


def _account(
    hook: str,
    chains: Chains,
    arguments: tuple[object, ...],
    connection: Any,
    watched: bool,  # noqa: FBT001 - hot
    chain: Chain,
    handler: Handler,
    value: object,
) -> Verdict | HookCall | None:
    """Account for one handler of a chain; None when the next is to be asked."""
    kind = type(value)
    if kind is not Suspended and kind is not _Failed and value is not _LATER:
        return _settle(hook, chains, connection, watched, handler, value)
    call = HookCall(hook, chains, arguments, connection, watched=watched)
    if isinstance(value, _Failed):
        return call.fail(handler, value.error)
    call.chain = chain[chain.index(handler) :]
    call.pending = value if isinstance(value, Suspended) else None
    return call


def resume(call: HookCall) -> Verdict | HookCall:
    """Go on behind the first handler of a call, which has waited and declined."""
    rest = call.chain[1:]
    return run(call.hook, call.chains, call.arguments, call.connection, call.watched, rest)


def begin(handler: Handler, arguments: tuple[object, ...]) -> Any:
    """Run a coroutine handler as far as it needs no event loop.

    Returns:
        What the handler returned, or, if it has to wait, a ``Suspended`` to await the rest with.
    """
    steps = _idle.pop() if _idle else new()
    found = steps.send(handler.call(*arguments))
    if type(found) is not Ended:
        return Suspended(steps, found)
    value, found.value = found.value, None
    _idle.append(steps)
    return value


def step(awaitable: Awaitable[object]) -> object:
    """Run a coroutine that never suspends to its end, without an event loop.

    Raises:
        RuntimeError: it tried to wait for something only an event loop can wait for.
    """
    coroutine = cast("Generator[object, None, object]", awaitable.__await__())
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("a coroutine waited for an event loop where there is none")


def _finish(call: HookCall, handler: Handler) -> object:
    pending, call.pending = call.pending, None
    return step(handler.call(*call.arguments) if pending is None else pending)


def run_blocking(
    call: HookCall, finish: Callable[[HookCall, Handler], object] = _finish
) -> Verdict:
    """Run what is left of a chain where waiting is allowed.

    Args:
        call: what is left.
        finish: runs a coroutine handler of the call to its end, or goes on with ``pending``.
    """
    arguments = call.arguments
    for handler in call.chain:
        try:
            if handler.kind is Kind.COROUTINE:
                value = finish(call, handler)
            else:
                value = handler.call(*arguments)
        except Exception as error:  # noqa: BLE001 - a handler's failure costs that handler only
            verdict = call.fail(handler, error)
        else:
            verdict = call.settle(handler, value)
        if verdict is not None:
            return verdict
    return PASS
