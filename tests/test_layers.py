"""The table of layers: who may import whom.

Rule: a package imports from rows above its own, and from nothing else. The table below is the one
of the design; every import of the package is held against it, wherever in a file it stands.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "qpsmtpd"

GROUND = ("constants", "errors", "logger", "address", "status")
RECORDS = ("message", "config", "telemetry")
WAITING = ("socket", "os", "asyncio", "select")  # what the protocol must not be able to do
EVERYTHING = ("",)

#: cost 5 to 65 ms, so a module on the way to the first greeting does not import them when it is
#: imported itself
SLOW = ("asyncio", "email", "inspect", "dataclasses", "importlib.metadata", "ssl", "dns")
START_PATH = (
    *("config", "message", "hooks", "smtp"),
    *("plugin.base", "plugin.args", "telemetry.log"),
)
#: module, slow import, reason
START_PATH_EXEMPT = {
    ("smtp.tls", "ssl"): "MemoryBIO does no I/O, and only the tls plugin loads it"
}


class Layer(NamedTuple):
    """One row: what a package may import of ours, and what it must not of others'."""

    imports: tuple[str, ...] = ()  #: at run time
    annotations: tuple[str, ...] = ()  #: under TYPE_CHECKING besides
    forbidden: tuple[str, ...] = ()  #: modules of the standard library and others


LAYERS = {
    # 0
    "constants": Layer(GROUND, forbidden=WAITING),
    "errors": Layer(GROUND, forbidden=WAITING),
    "logger": Layer(GROUND, forbidden=WAITING),
    "address": Layer(GROUND, forbidden=WAITING),
    "status": Layer(GROUND, forbidden=WAITING),
    # 1
    "message": Layer(GROUND, forbidden=("asyncio",)),
    "config": Layer(GROUND, forbidden=("asyncio",)),
    "telemetry": Layer(GROUND, forbidden=("asyncio",)),
    # 2; a call names the connection it is about, in annotations only
    "hooks": Layer(GROUND, ("smtp.connection", "smtp.transaction"), ("asyncio",)),
    # 3
    "smtp": Layer((*GROUND, "message", "hooks"), forbidden=WAITING),
    # 4
    "services": Layer((*GROUND, *RECORDS, "smtp.client")),
    # 5
    "plugin": Layer(
        (*GROUND, *RECORDS, "hooks", "services"), ("smtp.connection", "smtp.transaction")
    ),
    # 6; extras inside functions, one another by inheritance: see below
    "plugins": Layer(("plugin",)),
    # 7
    "drivers": Layer((*GROUND, "smtp", "hooks", "services")),
    # 8
    "deploy": Layer(
        (*GROUND, *RECORDS, "hooks", "smtp", "services", "plugin", "plugins", "drivers")
    ),
    # 9
    "cli": Layer(EVERYTHING),
    "testing": Layer(EVERYTHING),
    "console": Layer((*GROUND, "config", "telemetry")),
    # the package itself, and python -m qpsmtpd
    "__init__": Layer(),
    "__main__": Layer(("cli",)),
}


class Import(NamedTuple):
    """One imported name, where it stands and what for."""

    name: str  #: dotted, the imported attribute included: qpsmtpd.hooks.spec.HOOKS
    line: int
    typing: bool  #: under ``if TYPE_CHECKING``
    lazy: bool  #: inside a function


def imports_of(
    node: ast.AST, package: str, *, typing: bool = False, lazy: bool = False
) -> Iterator[Import]:
    """Find every import below a node; *package* is what a relative import starts from."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, typing, lazy)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = package.split(".")
                above = above[: len(above) - child.level + 1]
                base = ".".join((*above, base)).rstrip(".")
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, typing, lazy)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for part in child.body:
                yield from imports_of(ast.Module([part], []), package, typing=True, lazy=lazy)
            for part in child.orelse:
                yield from imports_of(ast.Module([part], []), package, typing=typing, lazy=lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports_of(child, package, typing=typing, lazy=lazy or inside)


def within(name: str, places: tuple[str, ...]) -> bool:
    """Tell whether a dotted name is one of the places or below it."""
    return any(not place or name == place or name.startswith(place + ".") for place in places)


def bases_of(tree: ast.AST) -> set[str]:
    """Name what the classes of a module inherit from, as written."""
    return {
        ast.unparse(base).rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """List what a module imports against the table.

    Args:
        module: dotted name below ``qpsmtpd``; "__init__" for the package itself.
        source: its text.
        is_package: True for the ``__init__.py`` of a package.
    """
    layer_name = module.partition(".")[0]
    if layer_name not in LAYERS:
        return [f"qpsmtpd.{module} is in no row of the table in {Path(__file__).name}"]
    tree = ast.parse(source)
    dotted = f"qpsmtpd.{module}"
    package = dotted if is_package else dotted.rpartition(".")[0]
    bases = bases_of(tree)
    return [
        f"qpsmtpd.{module}:{found.line} {complaint}"
        for found in imports_of(tree, package)
        for complaint in [objection(module, LAYERS[layer_name], found, bases)]
        if complaint
    ]


def objection(module: str, layer: Layer, found: Import, bases: set[str]) -> str:
    """Say what is wrong with one import; "" when it is allowed."""
    own = module.partition(".")[0]
    top = found.name.partition(".")[0]
    if top == "qpsmtpd":
        name = found.name.removeprefix("qpsmtpd").removeprefix(".")
        if name == "__version__":  # the package itself imports nothing
            return ""
        if own == "plugins" and within(name, ("plugins",)):
            allowed = found.name.rpartition(".")[2] in bases
            return "" if allowed else f"imports {found.name}, and not to inherit from it"
        places = (own, *layer.imports, *(layer.annotations if found.typing else ()))
        return "" if within(name, places) else f"imports {found.name}"
    if found.typing:
        return ""
    if within(found.name, layer.forbidden):
        return f"imports {top}, which its layer must not"
    if own == "plugins" and not found.lazy and top not in sys.stdlib_module_names:
        return f"imports {top} when it is loaded: extras are imported inside functions"
    slow = [name for name in SLOW if within(found.name, (name,))]
    if slow and not found.lazy and within(module, START_PATH):
        exempt = (module, slow[0]) in START_PATH_EXEMPT
        return "" if exempt else f"imports {slow[0]} when it is imported, which delays every start"
    return ""


def modules() -> list[tuple[str, Path]]:
    """List the modules of the package with their names below it."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found.append((".".join(parts), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_only_from_the_layers_above(module, path):
    source = path.read_text(encoding="utf-8")
    assert violations(module, source, is_package=path.stem == "__init__") == []


def test_the_table_has_a_row_for_every_package():
    assert {name.partition(".")[0] for name, _ in modules()} <= LAYERS.keys()


def test_no_module_of_a_package_escapes_the_search():
    assert len(modules()) == len(list(PACKAGE.rglob("*.py"))) > 10


FORBIDDEN = [
    ("smtp.session", "import socket"),
    ("smtp.session", "from os import path"),
    ("smtp.session", "def late():\n    import asyncio"),
    ("smtp.session", "import asyncio.streams"),
    ("smtp.session", "from qpsmtpd.plugin import Plugin"),
    ("smtp.session", "from qpsmtpd import config"),
    ("smtp.session", "import email.parser"),
    (
        "smtp.session",
        "class A:\n    try:\n        import select\n    except ImportError:\n        pass",
    ),
    ("hooks.chain", "from qpsmtpd.smtp.connection import Connection"),
    ("hooks.chain", "import asyncio"),
    ("message.header", "from qpsmtpd.config.lookup import Config"),
    ("message.header", "from ..config.lookup import Config"),
    ("message.header", "import email"),
    ("config.lookup", "import dataclasses"),
    ("config.lookup", "from importlib import metadata"),
    ("constants", "from qpsmtpd.hooks import Hook"),
    ("services.relay", "from qpsmtpd.smtp.session import Session"),
    ("plugin.base", "from qpsmtpd.smtp.transaction import Transaction"),
    ("plugin.base", "import inspect"),
    ("plugins.dnsbl", "from qpsmtpd.smtp.connection import Connection"),
    ("plugins.dnsbl", "if TYPE_CHECKING:\n    from qpsmtpd.smtp.connection import Connection"),
    ("plugins.dnsbl", "import dns.resolver"),
    ("plugins.dnsbl", "from qpsmtpd.plugins.karma import award"),
    ("drivers.blocking", "from qpsmtpd.plugin import Plugin"),
    ("drivers.blocking", "if TYPE_CHECKING:\n    pass\nelse:\n    import qpsmtpd.plugin"),
    ("deploy.engine", "from qpsmtpd.cli import main"),
    ("console.pages", "from qpsmtpd.smtp.session import Session"),
    ("__init__", "from qpsmtpd.hooks import HOOKS"),
    ("gadgets", "import sys"),
]

ALLOWED = [
    ("smtp.session", "from qpsmtpd.hooks.chain import HookCall"),
    ("smtp.session", "from qpsmtpd.smtp import reply\nfrom . import command"),
    ("smtp.tls", "import ssl"),
    ("hooks.chain", "if TYPE_CHECKING:\n    from qpsmtpd.smtp.connection import Connection"),
    ("config.lookup", "def late():\n    import dataclasses"),
    ("config.lookup", "import importlib\nimport os\nimport inspector"),
    ("services.relay", "from qpsmtpd.smtp.client import Client"),
    (
        "plugin.base",
        "if typing.TYPE_CHECKING:\n    from qpsmtpd.smtp.connection import Connection",
    ),
    ("plugins.dnsbl", "import ipaddress\nfrom qpsmtpd.plugin import Plugin"),
    ("plugins.dnsbl", "def ask():\n    import aiohttp"),
    ("plugins.rcpt_regexp", "from qpsmtpd.plugins.rcpt_map import RcptMap\nclass A(RcptMap): ..."),
    ("deploy.engine", "import asyncio\nfrom qpsmtpd.plugin.loader import load_plugins"),
    ("testing.client", "import qpsmtpd.cli.main"),
    ("deploy.engine", "from qpsmtpd import __version__"),
]


@pytest.mark.parametrize(("module", "source"), FORBIDDEN)
def test_a_forbidden_import_is_found(module, source):
    assert violations(module, source) != []


@pytest.mark.parametrize(("module", "source"), ALLOWED)
def test_an_allowed_import_is_left_alone(module, source):
    assert violations(module, source) == []
