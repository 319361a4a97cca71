"""Exit codes that tell an owner what to do about a process that ended."""

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """How a process of ours ended."""

    OK = 0  #: its work is done
    FAILED = 1  #: something went wrong while it served: start another
    BOOT_ERROR = 3  #: it could not start to serve: starting another would end the same way
    CONFIG_ERROR = 4  #: the configuration cannot be used: somebody has to change it

    @property
    def final(self) -> bool:
        """True when another attempt with the same input would fail again."""
        return self in {3, 4}
