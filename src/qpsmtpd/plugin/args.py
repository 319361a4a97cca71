"""The arguments of a plugin's line, declared and checked.

A plugin declares its arguments in a nested class ``Args``: annotations are types, values are
defaults, and a comment ``#:`` behind a field, continued on the lines below it, is its manual::

    class Args:
        positional = ("path",)
        path: str  #: where to write
        delay: Duration = Duration("50m")  #: seconds to wait

Words are read as ``key value key value …``, as ``key=value``, or by position. Besides fields,
``Args`` may have

- ``positional``: names of the fields that take words without a key, in order. Fields without a
  default are required, and do so too, behind those. A list takes all words that follow; without
  a default it is empty.
- ``rest``: name of the field that takes the rest of the line, words joined by one blank.
- ``aliases``: old keys; the new key, or the words that stand for it.
- ``check(self)``: raises ValueError for values that do not go together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, get_origin, get_type_hints

from qpsmtpd.constants import DECLINED, Result
from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin.quantity import Duration
from qpsmtpd.plugin.values import Reader, is_yes_or_no, reader

__all__ = ["GENERIC", "Declaration", "Field", "Parsed", "closest", "declare"]

_REQUIRED: Final = object()


class Field(NamedTuple):
    """One declared argument."""

    name: str
    reader: Reader
    default: object = None
    required: bool = False


class Parsed(NamedTuple):
    """What a line said."""

    args: Any  #: instance of the plugin's ``Args``; cannot be changed
    generic: Mapping[str, Any]  #: the arguments every plugin has
    warnings: list[str]  #: words nobody has a use for


def _failure(word: str) -> Result:
    """Read ``on_error``: what a failure may count as."""
    value = reader(Result).read(word)
    if isinstance(value, Result) and (value is DECLINED or value.refuses):
        return value
    raise ValueError(f"{word!r} cannot stand for a failure; write declined, denysoft or deny")


#: arguments of every plugin, unless its own Args has a field of that name
GENERIC: Final[Mapping[str, Field]] = {
    field.name: field
    for field in (
        Field("reject", reader(str)),
        Field("reject_type", reader(str)),
        Field("loglevel", reader(str)),
        Field("timeout", reader(Duration)),
        Field("on_error", Reader(_failure, "declined, denysoft or deny"), DECLINED),
        Field("offload", reader(bool), default=False),
    )
}


def closest(word: str, known: Sequence[str]) -> str:
    """Suggest the name that was probably meant: ``; did you mean dnsbl?``, or ""."""
    import difflib  # noqa: PLC0415 - only on the way to a complaint

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


class Declaration:
    """The arguments one plugin class takes; made once per class."""

    __slots__ = ("_aliases", "_class", "_fields", "_known", "_positional", "_rest")

    def __init__(self, cls: type | None) -> None:
        """Read an ``Args`` class.

        Raises:
            TypeError: it declares what cannot be read from a line.
        """
        self._class = _frozen(cls)
        self._fields = _fields(self._class)
        self._known = {**GENERIC, **self._fields}
        self._aliases = {_key(old): new for old, new in dict(getattr(cls, "aliases", {})).items()}
        self._rest: str = getattr(cls, "rest", "")
        named = tuple(getattr(cls, "positional", ()))
        required = (name for name, field in self._fields.items() if field.required)
        self._positional = tuple(
            name for name in dict.fromkeys((*named, *required)) if name != self._rest
        )
        for name in (*self._positional, *([self._rest] if self._rest else [])):
            if name not in self._fields:
                raise TypeError(f"Args has no field {name!r} for a word by position")

    @property
    def fields(self) -> Mapping[str, Field]:
        """The plugin's own fields, in the order of their declaration."""
        return self._fields

    @property
    def positional(self) -> tuple[str, ...]:
        """Names of the fields that take words without a key; the last may be the rest."""
        return (*self._positional, self._rest) if self._rest else self._positional

    @property
    def rest(self) -> str:
        """Name of the field that takes the rest of the line, or ""."""
        return self._rest

    def parse(self, words: Sequence[str]) -> Parsed:
        """Read the words of a line.

        Raises:
            ConfigError: a value is missing or wrong; without file and line, which the loader adds.
        """
        reading = _Reading(self, list(words))
        reading.run()
        values, warnings = reading.values, reading.warnings
        for name, field in self._fields.items():
            if field.required and name not in values:
                raise ConfigError(f"argument {name} is missing: {field.reader.wants}")
        own = {
            name: values[name] if name in values else _fresh(field.default)
            for name, field in self._fields.items()
        }
        generic = {name: values.get(name, field.default) for name, field in GENERIC.items()}
        for name in GENERIC.keys() & own.keys():
            generic[name] = own[name]
        args: Any = object.__new__(self._class)
        vars(args).update(own)
        check = getattr(args, "check", None)
        if callable(check):
            try:
                check()
            except ValueError as error:
                raise ConfigError(str(error)) from None
        return Parsed(args, generic, warnings)

    def find(self, word: str) -> Field | None:
        """Find the field a word is the name of."""
        key = _key(word)
        return self._known.get(self._aliases.get(key, key))

    def expansion(self, word: str) -> list[str]:
        """Return the words that an old word alone stands for, or an empty list."""
        words = self._aliases.get(_key(word), "").split()
        return words if len(words) > 1 else []

    def suggestion(self, word: str) -> str:
        """Suggest a name for an unknown one, and list those there are."""
        guess = closest(_key(word), list(self._known))
        if guess:
            return guess
        return "; known are " + ", ".join(self._known)


class _Reading:
    """One line on its way from words to values."""

    __slots__ = ("_declaration", "_open", "_words", "values", "warnings")

    def __init__(self, declaration: Declaration, words: list[str]) -> None:
        self._declaration = declaration
        self._words = words[::-1]  # taken from the end
        self._open = list(declaration.positional)
        self.values: dict[str, Any] = {}
        self.warnings: list[str] = []

    def run(self) -> None:
        """Read all words."""
        declaration, words = self._declaration, self._words
        while words:
            word = words.pop()
            key, sign, value = word.partition("=")
            expansion = declaration.expansion(word)
            field = declaration.find(key)
            if expansion:
                words.extend(reversed(expansion))
            elif field is not None:
                self._keyed(field, key, value if sign else None)
            elif not self._positioned(word, named=bool(sign) and key.isidentifier()):
                self._unknown(word)

    def _keyed(self, field: Field, key: str, value: str | None) -> None:
        """Store the value of a named argument."""
        words = self._words
        if value is None and field.reader.flag:
            value = "yes"
            if words and is_yes_or_no(words[-1]):
                value = words.pop()
            elif words and not self._usable(words[-1]):
                value = words.pop()  # which is neither yes nor no, and says so
        elif value is None:
            if not words:
                raise ConfigError(f"argument {key} has no value: {field.reader.wants}")
            value = words.pop()
        self._store(field, value)
        if field.name in self._open and not field.reader.many:
            self._open.remove(field.name)

    def _positioned(self, word: str, *, named: bool) -> bool:
        """Store a word by position; False when there is no place for it."""
        while self._open:
            name = self._open[0]
            field = self._declaration.fields[name]
            if name == self._declaration.rest:
                self._store(field, " ".join([word, *reversed(self._words)]))
                self._words.clear()
                return True
            if (
                named
                and not field.reader.many
                and self._declaration.suggestion(word.partition("=")[0]).startswith("; did")
            ):
                return False  # more likely a mistyped key than a value
            self._store(field, word)
            if not field.reader.many:
                del self._open[0]
            return True
        return False

    def _unknown(self, word: str) -> None:
        """Pass over a word, and over the value that seems to belong to it."""
        key, sign, _ = word.partition("=")
        text = f"unknown argument {key!r}"
        if not sign and self._words and not self._usable(self._words[-1]):
            text += f" with value {self._words.pop()!r}"
        self.warnings.append(f"{text} is ignored{self._declaration.suggestion(key)}")

    def _usable(self, word: str) -> bool:
        """Tell whether a word means something without the one before it."""
        declaration = self._declaration
        known = declaration.find(word.partition("=")[0]) or declaration.expansion(word)
        return bool(self._open or known)

    def _store(self, field: Field, word: str) -> None:
        try:
            value = field.reader.read(word)
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = str(error) or f"{word!r} is not {field.reader.wants}"
            raise ConfigError(f"argument {field.name}: {reason}") from None
        if field.reader.many:
            self.values.setdefault(field.name, []).append(value)
            return
        if field.name in self.values:
            self.warnings.append(f"argument {field.name} is given twice; the last one counts")
        self.values[field.name] = value


_DECLARATIONS: Final[dict[type | None, Declaration]] = {}


def declare(cls: type | None) -> Declaration:
    """Return the declaration of an ``Args`` class, made on first use.

    Raises:
        TypeError: it declares what cannot be read from a line.
    """
    found = _DECLARATIONS.get(cls)
    if found is None:
        found = _DECLARATIONS[cls] = Declaration(cls)
    return found


def _key(word: str) -> str:
    return word.replace("-", "_")


def _fresh(default: object) -> object:
    """Copy a list, so that no two lines share one."""
    return list(default) if isinstance(default, list) else default


def _frozen(cls: type | None) -> type:
    """Derive a class whose instances refuse to be changed."""

    def refuse(self: object, name: str, value: object = None) -> None:
        raise AttributeError(
            f"argument {name} cannot be set: arguments say what the configuration says; "
            "keep what changes in connection.notes, transaction.notes or self.store"
        )

    bases = (cls,) if cls is not None else ()
    name = cls.__name__ if cls is not None else "Args"
    return type(name, bases, {"__setattr__": refuse, "__delattr__": refuse})


def _fields(cls: type) -> dict[str, Field]:
    """Read the annotations and defaults of an ``Args`` class, base classes first."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(f"annotation in Args: {error}; import it outside TYPE_CHECKING") from None
    fields: dict[str, Field] = {}
    for name, annotation in hints.items():
        if annotation is ClassVar or get_origin(annotation) is ClassVar:
            continue
        value = getattr(cls, name, _REQUIRED)
        try:
            how = reader(annotation)
            if how.many and value is _REQUIRED:
                value = []
            if isinstance(
                value, str
            ):  # `delay: Duration = "50m"`, for those who do not check types
                value = how.read(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"field {name} of Args: {error}") from None
        fields[name] = Field(name, how, None if value is _REQUIRED else value, value is _REQUIRED)
    return fields
