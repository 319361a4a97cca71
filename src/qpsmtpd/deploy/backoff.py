"""How long to wait before a process that died is started again."""

from typing import Final

__all__ = ["Backoff"]

_FIRST: Final = 0.5
_LONGEST: Final = 30.0
_HEALTHY: Final = 60.0


class Backoff:
    """Nothing at first, then 0.5 s, doubling to 30 s; a minute of life begins anew."""

    __slots__ = ("_delay",)

    def __init__(self) -> None:
        self._delay = 0.0

    def after(self, lifetime: float) -> float:
        """Seconds to wait after a process that lived *lifetime* seconds."""
        if lifetime >= _HEALTHY:
            self._delay = 0.0
        delay = self._delay
        self._delay = min(max(_FIRST, 2 * delay), _LONGEST)
        return delay
