"""Placeholder."""

from typing import Any


def add_parsers(subparsers: Any) -> None:
    """Add nothing yet."""
