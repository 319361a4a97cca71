"""Annotations of declared arguments, turned to readers of words.

Rule: an annotation is looked at once, when a plugin is loaded; a line is then read without asking
for types.
"""

import os
import re
import types
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from qpsmtpd.constants import LogLevel, Result, log_level, result
from qpsmtpd.plugin.quantity import Duration, Size

__all__ = ["Reader", "is_yes_or_no", "reader", "spelled"]

_YES: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_COLLECTIONS: Final = frozenset({dict, set, frozenset, tuple, bytes, bytearray, object})
_NO: Final = frozenset({"0", "false", "no", "off", "n", "f"})


class Reader(NamedTuple):
    """How the words of one argument become its value."""

    read: Callable[[str], object]  #: raises ValueError for a word it has no use for
    wants: str  #: what a word has to be, for error texts and manuals
    flag: bool = False  #: the name alone means yes
    many: bool = False  #: each further word is added to a list


def reader(annotation: Any) -> Reader:
    """Find the reader for an annotation.

    Raises:
        TypeError: values of that type cannot be written as words.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return reader(arguments[0])
    if annotation in _READERS:
        return _READERS[annotation]
    if origin is Literal:
        return _choice(arguments)
    if origin is Union or origin is types.UnionType:
        return _first_of([reader(one) for one in arguments if one is not types.NoneType])
    if origin is list or annotation is list:
        each = reader(arguments[0] if arguments else str)
        return Reader(each.read, f"{each.wants}; may be repeated", many=True)
    if (origin or annotation) is re.Pattern:
        return Reader(_pattern, "a regular expression")
    if isinstance(annotation, type) and annotation not in _COLLECTIONS:
        return _of_class(annotation)
    raise TypeError(f"{annotation!r} cannot be read from a line")


def is_yes_or_no(word: str) -> bool:
    """Tell whether *word* is one of the spellings of yes and no."""
    return word.lower() in _YES or word.lower() in _NO


def spelled(value: object) -> str:
    """Write a default as one would on a line; "" for what has no spelling."""
    if value is None or value in ("", []):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Duration, Size)):
        return value.words
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    if isinstance(value, list):
        return " ".join(spelled(one) for one in value)
    return str(value)


def _boolean(word: str) -> bool:
    if not is_yes_or_no(word):
        raise ValueError(f"{word!r} is neither yes nor no")
    return word.lower() in _YES


def _whole_number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{word!r} is no whole number") from None


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - only nan differs from itself
        raise ValueError(f"{word!r} is no number")
    return value


def _level(word: str) -> LogLevel:
    try:
        return log_level(word)
    except ValueError:
        raise ValueError(f"{word!r} is no log level; write LOGWARN, or 0 to 7") from None


def _result(word: str) -> Result:
    try:
        return result(word)
    except ValueError:
        raise ValueError(f"{word!r} is no result; DECLINED, DENYSOFT, DENY are") from None


def _pattern(word: str) -> re.Pattern[str]:
    try:
        return re.compile(word)
    except re.error as error:
        raise ValueError(f"{word!r} is no regular expression: {error}") from None


def _choice(choices: tuple[object, ...]) -> Reader:
    spellings = {str(choice).lower(): choice for choice in choices}
    wants = "one of " + ", ".join(map(str, choices))

    def read(word: str) -> object:
        if word.lower() not in spellings:
            raise ValueError(f"{word!r} is not {wants}")
        return spellings[word.lower()]

    return Reader(read, wants)


def _first_of(readers: list[Reader]) -> Reader:
    """Combine readers; the first that has a use for a word reads it."""
    if len(readers) == 1:
        return readers[0]
    wants = " or ".join(one.wants for one in readers)

    def read(word: str) -> object:
        for one in readers:
            try:
                return one.read(word)
            except ValueError:
                continue
        raise ValueError(f"{word!r} is not {wants}")

    return Reader(read, wants)


def _of_class(kind: type[Any]) -> Reader:
    if issubclass(kind, Enum):
        return _choice_of(kind)
    if issubclass(kind, os.PathLike):
        make: Callable[[str], object] = kind
        return Reader(lambda word: make(os.path.expanduser(word)), "a path")  # noqa: PTH111 - whoever wants a Path has imported pathlib; nobody else pays for it
    return Reader(kind, f"a {kind.__name__}")


def _choice_of(kind: type[Enum]) -> Reader:
    members = {name.lower(): member for name, member in kind.__members__.items()}
    wants = "one of " + ", ".join(kind.__members__)

    def read(word: str) -> object:
        if word.lower() not in members:
            raise ValueError(f"{word!r} is not {wants}")
        return members[word.lower()]

    return Reader(read, wants)


_READERS: Final[dict[Any, Reader]] = {
    str: Reader(str, "text"),
    Any: Reader(str, "text"),
    bool: Reader(_boolean, "yes or no", flag=True),
    int: Reader(_whole_number, "a whole number"),
    float: Reader(_number, "a number"),
    Duration: Reader(Duration, "a length of time such as 50m"),
    Size: Reader(Size, "a size such as 50M"),
    LogLevel: Reader(_level, "a log level such as LOGWARN"),
    Result: Reader(_result, "a result such as DENYSOFT"),
}
