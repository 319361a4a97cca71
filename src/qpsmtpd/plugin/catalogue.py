"""What plugins there are, and their manual pages.

Rule: a listing imports no plugin; a manual page imports the one it is about, since arguments are
inherited.
"""

import ast
import os
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Kind
from qpsmtpd.hooks.spec import HOOKS, Hook
from qpsmtpd.plugin.args import GENERIC, Declaration, Field, declare
from qpsmtpd.plugin.base import Plugin
from qpsmtpd.plugin.handler import find_hook, kind_of
from qpsmtpd.plugin.names import read_name
from qpsmtpd.plugin.search import BUNDLED, find_class
from qpsmtpd.plugin.values import spelled

__all__ = ["Entry", "arguments_of", "bundled", "entries", "hooks_of", "manual", "names", "summary"]

_HEADING: Final = re.compile(r"[A-Z][A-Z ]+")
_FILL: Final = textwrap.TextWrapper(
    95, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False
)
_COMMENT: Final = re.compile(r"\s*#:\s*(.*)")


class Entry(NamedTuple):
    """A plugin that can be loaded."""

    name: str  #: as a line has it
    summary: str  #: one sentence
    path: str  #: of its file


def bundled() -> list[str]:
    """Return the names of the bundled plugins, as lines have them, sorted."""
    return [entry.name for entry in _bundled_entries()]


def entries(search: Sequence[str] = ()) -> list[Entry]:
    """List the plugins in the plugin directories and the bundled ones, sorted by name.

    Args:
        search: plugin directories; a plugin in them hides a bundled one of the same name.
    """
    found = {_plain(entry.name): entry for entry in _bundled_entries()}
    for directory in reversed(search):
        found.update((_plain(entry.name), entry) for entry in _directory_entries(directory))
    return sorted(found.values())


def names(search: Sequence[str] = ()) -> list[str]:
    """Return the names of ``entries``."""
    return [entry.name for entry in entries(search)]


def summary(name: str, search: Sequence[str] = ()) -> str:
    """Return what a plugin does, in one sentence.

    Raises:
        ConfigError: there is no such plugin.
    """
    return _entry(name, search).summary


def manual(name: str, search: Sequence[str] = ()) -> str:
    """Return a plugin's manual page: its docstring, its arguments, its hooks.

    Raises:
        ConfigError: there is no such plugin, or it cannot be imported.
    """
    entry = _entry(name, search)
    try:
        cls = find_class(read_name(entry.name), search)
    except ImportError as error:
        raise ConfigError(f"plugin {name} cannot be imported: {error}") from error
    if cls is None:
        raise ConfigError(f"no plugin {name!r}")
    text = ast.get_docstring(_tree(entry.path)) or entry.name
    head, tail = _split(text)
    sections = [head, f"ARGUMENTS\n\n{_arguments(entry.name, cls)}", tail]
    hooks = "\n".join(
        f"    {hook.name}  ({kind.value})" for hook, kind in hooks_of(cls, entry.path)
    )
    if hooks:
        sections.append(f"HOOKS\n\n{hooks}")
    return "\n\n".join(section for section in sections if section) + "\n"


def hooks_of(cls: type[Plugin], path: str) -> list[tuple[Hook, Kind]]:
    """Return the hooks a plugin handles, as far as its text tells, with kinds of handler.

    Args:
        cls: the plugin.
        path: of its file, which is searched for calls of ``register_hook``.
    """
    found = {
        hook.name: kind_of(getattr(cls, hook.method), hook, cls.__name__)
        for hook in HOOKS.values()
        if hasattr(cls, hook.method)
    }
    for node in ast.walk(_tree(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "register_hook"
            and len(node.args) > 1
            and isinstance(node.args[0], ast.Constant)
        ):
            hook = find_hook(str(node.args[0].value), cls.__name__)
            method = node.args[1]
            called = getattr(cls, method.attr, None) if isinstance(method, ast.Attribute) else None
            kind = Kind.PLAIN if called is None else kind_of(called, hook, cls.__name__)
            found.setdefault(hook.name, kind)
    return [(hook, found[hook.name]) for hook in HOOKS.values() if hook.name in found]


def arguments_of(cls: type[Plugin]) -> list[tuple[Field, str]]:
    """Return the arguments a plugin declares, each with the comment beside it."""
    args = getattr(cls, "Args", None)
    comments: dict[str, str] = {}
    for one in reversed(args.__mro__[:-1] if isinstance(args, type) else ()):
        comments.update(_comments(one))
    return [(field, comments.get(field.name, "")) for field in declare(args).fields.values()]


def _entry(name: str, search: Sequence[str]) -> Entry:
    plain = _plain(read_name(name).path)
    for entry in entries(search):
        if _plain(entry.name) == plain:
            return entry
    raise ConfigError(f"no plugin {name!r}; qpsmtpd plugins lists them")


def _bundled_entries() -> list[Entry]:
    return sorted(_package_entries(list(import_module(BUNDLED).__path__), ""))


def _package_entries(directories: list[str], prefix: str) -> Iterator[Entry]:
    for found in pkgutil.iter_modules(directories):
        if found.name.startswith("_"):
            continue
        directory = getattr(found.module_finder, "path", "")
        if found.ispkg:
            yield from _package_entries(
                [os.path.join(directory, found.name)],  # noqa: PTH118 - __path__ is made of strings
                f"{prefix}{found.name}/",
            )
        else:
            yield _describe(f"{prefix}{found.name}", Path(directory, f"{found.name}.py"))


def _directory_entries(directory: str) -> Iterator[Entry]:
    root = Path(directory)
    for file in sorted(root.rglob("*.py")):
        relative = file.relative_to(root).with_suffix("")
        if not file.name.startswith(("_", "test_", "conftest.")):
            yield _describe(relative.as_posix(), file)


def _describe(path: str, file: Path) -> Entry:
    """Read name and summary off the first line of a docstring: ``name - summary``."""
    try:
        first = (ast.get_docstring(_tree(str(file))) or "").partition("\n")[0]
    except (OSError, SyntaxError, ValueError) as error:
        return Entry(path, f"cannot be read: {error}", str(file))
    name, sign, said = first.partition(" - ")
    if sign and _plain(name) == _plain(path):
        return Entry(name, said, str(file))
    return Entry(path, first, str(file))


def _tree(path: str) -> ast.Module:
    return ast.parse(Path(path).read_bytes())


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _split(text: str) -> tuple[str, str]:
    """Cut a docstring where its arguments belong: behind the description."""
    lines = text.splitlines()
    headings = [at for at, line in enumerate(lines) if _HEADING.fullmatch(line)]
    after = [at for at in headings if lines[at] != "DESCRIPTION"]
    at = after[0] if after else len(lines)
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at:]).rstrip()


def _arguments(name: str, cls: type[Plugin]) -> str:
    declaration = declare(getattr(cls, "Args", None))
    parts = [f"    {_synopsis(name, declaration)}"]
    for field, comment in arguments_of(cls):
        default = spelled(field.default)
        facts = [field.reader.wants]
        facts.append("required" if field.required else f"default {default}" if default else "")
        sentences = (comment.rstrip("."), "; ".join(filter(None, facts)))
        said = " ".join(f"{one[0].upper()}{one[1:]}." for one in sentences if one)
        parts.append(f"    {field.name}\n{_FILL.fill(said)}")
    generic = ", ".join(name for name in GENERIC if name not in declaration.fields)
    parts.append(f"As every plugin it takes {generic}.")
    return "\n\n".join(parts)


def _synopsis(name: str, declaration: Declaration) -> str:
    """Write the form of a line: words by position, then keys."""
    words = [name]
    for key in declaration.positional:
        field = declaration.fields[key]
        word = f"<{key}>{' …' if field.reader.many or key == declaration.rest else ''}"
        words.append(word if field.required else f"[{word}]")
    for key, field in declaration.fields.items():
        if key not in declaration.positional:
            words.append(f"[{key}]" if field.reader.flag else f"[{key} <{key}>]")
    return " ".join(words)


def _comments(cls: type) -> dict[str, str]:
    """Read the comments ``#:`` beside the fields of a class from its source."""
    path = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        source = Path(path or "").read_text("utf-8")
    except OSError:  # compiled only, or typed at a prompt
        return {}
    lines = source.splitlines()
    body: list[ast.stmt] = ast.parse(source).body
    for name in cls.__qualname__.split("."):
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
        body = classes[-1].body if classes else []
    return {
        node.target.id: _comment(lines, node)
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _comment(lines: list[str], node: ast.AnnAssign) -> str:
    """Return the comment behind a field, with its continuation on the lines below."""
    end = node.end_lineno or node.lineno
    tail = lines[end - 1].encode()[node.end_col_offset or 0 :].decode()
    behind = re.search(r"#:(.*)", tail)
    words = [behind[1]] if behind else []
    for line in lines[end:]:
        below = _COMMENT.fullmatch(line)
        if below is None:
            break
        words.append(below[1])
    return " ".join(" ".join(words).split())
