"""Services as an event loop has them: each call really waits once."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Suspending"]

_AT_ONCE: Final = frozenset({"now", "monotonic", "close"})


class Suspending:
    """Stands in front of a service, and lets the loop turn before every answer.

    In the event loop a handler that awaits a service is interrupted there, and others run. A
    service in memory would answer at once, and a test would never see what that does.
    """

    def __init__(self, service: Any) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        """Find a method of the service."""
        found = getattr(self._service, name)
        if name in _AT_ONCE or not callable(found):
            return found
        if name == "namespace":
            return lambda space: Suspending(found(space))

        async def answer(*arguments: Any, **options: Any) -> Any:
            import asyncio  # noqa: PLC0415 - whoever waits has a loop

            await asyncio.sleep(0)
            waiting: Coroutine[Any, Any, Any] = found(*arguments, **options)
            return await waiting

        return answer
