"""Exceptions of qpsmtpd; each carries what its handler needs, so nobody has to ask for types."""

__all__ = ["AddressError", "ConfigError", "HookTimeoutError", "QpsmtpdError", "StorageError"]


class QpsmtpdError(Exception):
    """Anything qpsmtpd raises on purpose."""


class ConfigError(QpsmtpdError):
    """A configuration that cannot be used.

    Attributes:
        text: what is wrong, and what to do about it.
        file: path of the file at fault, or None.
        line: its line number, counted from 1, or None.
    """

    def __init__(self, text: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.file = file
        self.line = line

    def __str__(self) -> str:
        if self.file is None:
            return self.text
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.text}"


class AddressError(QpsmtpdError):
    """A path or mailbox outside the grammar of RFC 5321 §4.1.2."""


class StorageError(QpsmtpdError):
    """A message could not be stored; always a temporary refusal (452 4.3.1, RFC 5321 §4.2.3)."""

    code = 452
    status = "4.3.1"


class HookTimeoutError(QpsmtpdError):
    """A handler took longer than its ``timeout``."""
