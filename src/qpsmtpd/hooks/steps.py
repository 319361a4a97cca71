"""Stepping coroutines that hardly ever have to wait.

Rule: a coroutine that ends without waiting costs no exception. Whoever sends to a coroutine gets
StopIteration when it ends, which costs more than all the rest; a generator that delegates to it
gets a value. So there are such generators, kept for the next coroutine.

This module is never compiled: only the interpreter delegates without an exception.
"""

from collections.abc import Generator
from types import coroutine
from typing import Any

__all__ = ["Ended", "Steps", "new"]

Steps = Generator[Any, Any, None]


class Ended:
    """What a coroutine returned."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None


@coroutine
def _steps() -> Steps:
    ended = Ended()
    while True:
        awaitable = yield ended
        ended.value = yield from awaitable


def new() -> Steps:
    """Make a generator to send coroutines to.

    Each ``send`` returns ``Ended``, after which the next coroutine may be sent, or what the
    coroutine waits for.
    """
    steps: Steps = _steps()
    steps.send(None)
    return steps
