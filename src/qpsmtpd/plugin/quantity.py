"""Lengths of time and sizes, as people write them."""

import re
from typing import Final, Self

__all__ = ["Duration", "Size"]

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)
_DURATION: Final = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+", re.ASCII)

_OCTETS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.ASCII)


class Duration(float):
    """A length of time in seconds, written ``90``, ``90s``, ``50m``, ``3h``, ``2d``, ``1h30m``."""

    __slots__ = ()

    def __new__(cls, value: str | float) -> Self:
        """Read a length of time.

        Args:
            value: text, or a number of seconds.

        Raises:
            ValueError: the text is no length of time.
        """
        if not isinstance(value, str):
            return super().__new__(cls, value)
        text = value.strip().lower()
        if _DURATION.fullmatch(text) is None:
            raise ValueError(f"{value!r} is no length of time; write seconds, or 50m, 3h, 2d")
        return super().__new__(
            cls, sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        )

    @property
    def words(self) -> str:
        """The shortest way to write it with one unit: ``50m``."""
        for unit in ("w", "d", "h", "m"):
            if self and self % _SECONDS[unit] == 0:
                return f"{self / _SECONDS[unit]:.0f}{unit}"
        return f"{self:f}".rstrip("0").rstrip(".") + "s"


class Size(int):
    """A number of octets, written ``1000``, ``50K``, ``50M`` or ``2G``, in powers of 1024."""

    __slots__ = ()

    def __new__(cls, value: str | int) -> Self:
        """Read a size.

        Args:
            value: text, or a number of octets.

        Raises:
            ValueError: the text is no size.
        """
        if not isinstance(value, str):
            return super().__new__(cls, value)
        found = _SIZE.fullmatch(value.strip().lower())
        if found is None:
            raise ValueError(f"{value!r} is no size; write octets, or 500K, 50M, 2G")
        return super().__new__(cls, round(float(found[1]) * _OCTETS[found[2]]))

    @property
    def words(self) -> str:
        """The shortest way to write it with one unit: ``50M``."""
        for unit in ("t", "g", "m", "k"):
            if self and self % _OCTETS[unit] == 0:
                return f"{self // _OCTETS[unit]}{unit.upper()}"
        return str(int(self))
