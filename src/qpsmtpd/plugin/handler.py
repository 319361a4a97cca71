"""Functions of plugins, turned to handlers: what they are is found out here, once.

Rule: a function that cannot answer its hook is refused when its plugin is loaded, with the line
its author should have written.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any, Final, TypeVar

from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Kind
from qpsmtpd.hooks.spec import HOOKS, Hook
from qpsmtpd.hooks.watchdog import code_of
from qpsmtpd.plugin.args import closest

__all__ = ["blocking", "check_parameters", "check_register", "find_hook", "kind_of"]

_VARARGS: Final = 0x04
_GENERATOR: Final = 0x20
_COROUTINE: Final = 0x80
_ITERABLE_COROUTINE: Final = 0x100  # types.coroutine
_ASYNC_GENERATOR: Final = 0x200

F = TypeVar("F", bound=Callable[..., Any])


def blocking(function: F) -> F:
    """Say that a handler waits: for a socket, a program, a library that takes its time.

    The event loop calls it on a thread of its own; other models call it as it is.

    Raises:
        TypeError: the function is ``async def`` and never blocks.
    """
    code = code_of(function)
    if code is not None and code.co_flags & (_COROUTINE | _ITERABLE_COROUTINE):
        raise TypeError(
            f"{function.__qualname__} is async: it awaits and does not block; "
            "write @blocking def, or async def alone"
        )
    function.__dict__["blocking"] = True
    return function


def find_hook(name: str, plugin: str) -> Hook:
    """Find a hook by name; qpsmtpd's spelling with dashes is one, too.

    Raises:
        ConfigError: there is none.
    """
    key = name.replace("-", "_")
    if key not in HOOKS:
        known = list(HOOKS)
        raise ConfigError(
            f"{plugin}: Invalid hook: {name}{closest(key, known) or '; see qpsmtpd hooks'}"
        )
    return HOOKS[key]


def kind_of(call: Callable[..., Any], hook: Hook, plugin: str, *, offload: bool = False) -> Kind:
    """Decide how a handler is to be called.

    Args:
        call: bound method or function.
        hook: what it answers.
        plugin: registered name, for error texts.
        offload: treat plain functions as blocking ones, where the hook allows it.

    Raises:
        ConfigError: the hook has no use for that kind of function.
    """
    code = code_of(call)
    flags = 0 if code is None else code.co_flags
    where = f"{plugin}: {hook.method}"
    if flags & (_GENERATOR | _ASYNC_GENERATOR) and not flags & _ITERABLE_COROUTINE:
        raise ConfigError(f"{where} contains yield; a handler returns its result")
    if flags & (_COROUTINE | _ITERABLE_COROUTINE):
        kind = Kind.COROUTINE
    elif getattr(call, "blocking", False):
        kind = Kind.BLOCKING
    else:
        return Kind.BLOCKING if offload and hook.waits else Kind.PLAIN
    if not hook.waits:
        raise ConfigError(
            f"{where} cannot be {'async' if kind is Kind.COROUTINE else '@blocking'}: this hook "
            "is asked where nothing may wait; write a plain def that answers from memory"
        )
    return kind


def check_parameters(call: Callable[..., Any], hook: Hook, plugin: str) -> None:
    """See that a handler takes what its hook passes.

    Raises:
        ConfigError: it does not; the text has the right signature.
    """
    function = getattr(call, "__func__", call)
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):  # partial, callable object: it will say so itself
        return
    bound = getattr(call, "__self__", None) is not None
    positional = code.co_argcount - bound
    required = positional - len(getattr(function, "__defaults__", None) or ())
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = getattr(function, "__kwdefaults__", None) or {}
    passed = len(hook.arguments)
    fits = required <= passed and (passed <= positional or code.co_flags & _VARARGS)
    if fits and not [name for name in keywords if name not in defaults]:
        return
    first = code.co_varnames[0] if bound and code.co_argcount else "plugin"
    prefix = "async def" if code.co_flags & _COROUTINE else "def"
    right = ", ".join((first, *hook.arguments))
    wrong = ", ".join((*code.co_varnames[: code.co_argcount], *keywords))
    raise ConfigError(
        f"{plugin}: {code.co_name}({wrong}) does not take what hook {hook.name} passes; "
        f"write {prefix} {code.co_name}({right})"
    )


def check_register(register: Callable[..., Any], plugin: str) -> None:
    """See that ``register`` is a plain method without further arguments.

    Raises:
        ConfigError: it is not.
    """
    code = code_of(register)
    if code is None:
        return
    if code.co_flags & (_COROUTINE | _ASYNC_GENERATOR | _GENERATOR):
        raise ConfigError(
            f"{plugin}: register runs before there is anything to wait for; no async"
        )
    defaults = len(getattr(getattr(register, "__func__", register), "__defaults__", None) or ())
    if code.co_argcount - defaults > 1:
        names = ", ".join(code.co_varnames[: code.co_argcount])
        raise ConfigError(
            f"{plugin}: register({names}) takes the plugin only; the line's arguments are in "
            f"{code.co_varnames[0]}.args"
        )
