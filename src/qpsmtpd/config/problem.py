"""What is wrong with a configuration, collected where an exception would stop at the first."""

from typing import NamedTuple

from qpsmtpd.errors import ConfigError

__all__ = ["Problem"]


class Problem(NamedTuple):
    """One thing that is wrong, with its place and what to do about it."""

    text: str
    file: str | None = None
    line: int | None = None  #: counted from 1
    warning: bool = False  #: True: it works, though perhaps not as meant

    @classmethod
    def of(cls, error: ConfigError) -> "Problem":
        """Keep what an exception says."""
        return cls(error.text, error.file, error.line)

    def error(self) -> ConfigError:
        """The exception that says the same."""
        return ConfigError(self.text, file=self.file, line=self.line)

    def __str__(self) -> str:
        return str(self.error())
