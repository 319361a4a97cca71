"""Command lines, and what is said about those that cannot be used."""

import argparse
from typing import NoReturn

__all__ = ["Parser", "complaint"]


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong.

    Attributes:
        code: exit code then.
    """

    code = 2

    def error(self, message: str) -> NoReturn:
        """Complain, and end the process."""
        self.exit(self.code, f"{self.prog}: {message}; see {self.prog} --help\n")


def complaint(error: Exception) -> str:
    """Say in one line what went wrong, as far as people can do something about it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"octet {error.start + 1} is not UTF-8, where text was expected"
    return str(error)
