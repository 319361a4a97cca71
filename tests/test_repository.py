"""Manners of the repository: sizes, names, fragments, versions, and what must never be in it."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

import qpsmtpd

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
MAX_FUNCTION = 50
KINDS = ("security", "removed", "deprecated", "added", "changed", "fixed")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core", "stuff"}

#: files that may be longer than MAX_LINES, with the reason
LONG: dict[str, str] = {}

#: functions that may be longer than MAX_FUNCTION, with the reason
LONG_FUNCTIONS = {
    "src/qpsmtpd/smtp/settings.py __init__": "a table: each setting once in each of three columns"
}

#: looked for in every tracked text file; written so that this file does not match itself
UNWANTED = {
    "a path of one machine": re.compile(
        r"(?<![\w.~$}-])/(?:work|root)/[\w.]|/home/(?:runner|ubuntu)/"
    ),
    "an address of a package registry": re.compile(
        r"\b(?:pypi|pythonhosted|npmjs|registry\.yarnpkg|proxy\.golang|crates)\.(?:org|com|io)\b"
        r"|\b(?:deb|security|snapshot)\.debian\.org\b"
        r"|https?://[\w.-]*(?:artifact|mirror|nexus|registry|devpi)[\w.-]*",
        re.IGNORECASE,
    ),
    "a secret": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{64}"
        r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abp]-[0-9A-Za-z-]{20}"
    ),
    "a marker of unfinished work": re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b"),
}

#: what each of them must find, once the | in it is taken out
BAD = {
    "a path of one machine": ["see /wo|rk/main/x", 'open("/ro|ot/.netrc")'],
    "an address of a package registry": [
        "https://py|pi.org/simple",
        "http://mirr|or.example:8080/simple",
        "https://regis|try.np|mjs.org/x",
    ],
    "a secret": [
        f"-----BEGIN PRIVATE| KEY-----\n{'A' * 64}\n",
        f"key = AK|IA{'A' * 16}",
        f"gh|p_{'a' * 36}",
    ],
    "a marker of unfinished work": ["# TO|DO later", "// FIX|ME: this"],
}

GOOD = [
    "/var/spool/qpsmtpd /home/user/Maildir https://example.org/mirror.html",
    "build/work/x $HOME/root/x ~/work/x",
    "mirror the tree; the registry of plugins",
]


@cache
def tracked() -> tuple[Path, ...]:
    """List what is, or would be, in the repository; without git, all but what .gitignore names."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        ignored = {line.strip("/ ") for line in (ROOT / ".gitignore").read_text().splitlines()}
        everything = (path for path in ROOT.rglob("*") if path.is_file())
        return tuple(
            path
            for path in everything
            if ignored.isdisjoint(path.relative_to(ROOT).parts) and ".git" not in path.parts
        )
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def text_of(path: Path) -> str:
    """Read a file; "" when it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def name_of(path: Path) -> str:
    """Name a file as seen from the top of the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def programs() -> tuple[tuple[str, str, ast.Module], ...]:
    """Read the Python files: name, text, syntax tree."""
    found = []
    for path in tracked():
        if path.suffix == ".py":
            text = text_of(path)
            found.append((name_of(path), text, ast.parse(text)))
    return tuple(found)


@pytest.mark.parametrize("kind", UNWANTED)
def test_no_file_holds(kind):
    found = []
    for path in tracked():
        text = text_of(path)
        if kind == "a path of one machine" and len(ROOT.parts) > 3 and str(ROOT) in text:
            found.append(f"{name_of(path)}: {ROOT}")
        for match in UNWANTED[kind].finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{name_of(path)}:{line}: {match.group()[:60]!r}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in BAD for text in BAD[kind]])
def test_what_must_not_be_there_would_be_found(kind, text):
    assert UNWANTED[kind].search(text.replace("|", ""))


@pytest.mark.parametrize("text", GOOD)
def test_what_may_be_there_is_left_alone(text):
    assert [kind for kind, pattern in UNWANTED.items() if pattern.search(text)] == []


def test_every_module_has_a_docstring():
    bare = [name for name, _, tree in programs() if not ast.get_docstring(tree)]
    bare = [name for name in bare if name.startswith(("src/", "bench/", "docs/"))]
    assert not bare, ", ".join(bare)


def test_no_file_is_too_long():
    long = {name: text.count("\n") for name, text, _ in programs() if text.count("\n") > MAX_LINES}
    rest = {name: lines for name, lines in long.items() if name not in LONG}
    assert not rest, str(rest)
    assert LONG.keys() - long.keys() == set(), "no longer long: take these out of LONG"


def test_no_function_is_too_long():
    functions = (
        (name, node)
        for name, _, tree in programs()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lengths = {
        f"{name} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, node in functions
    }
    long = {where: lines for where, lines in lengths.items() if lines > MAX_FUNCTION}
    assert len(lengths) > 20
    rest = {where: lines for where, lines in long.items() if where not in LONG_FUNCTIONS}
    assert not rest, str(rest)
    assert LONG_FUNCTIONS.keys() - long.keys() == set(), "take these out of LONG_FUNCTIONS"


def test_no_module_has_a_name_that_says_nothing():
    assert [name_of(path) for path in tracked() if path.stem in VAGUE] == []


def objections(path: Path) -> list[str]:
    """Say what is wrong with a fragment of the change log."""
    number, _, rest = path.name.partition(".")
    text = path.read_text(encoding="utf-8")
    wrong = []
    if not number.isdigit() or rest not in {f"{kind}.md" for kind in KINDS}:
        wrong.append(f"is not called <issue>.<{'|'.join(KINDS)}>.md")
    if not text.strip() or not text.endswith("\n") or text != text.strip() + "\n":
        wrong.append("is not some lines of text, ended by one newline")
    if not text.rstrip().endswith((".", "!")):
        wrong.append("does not end with a full stop")
    if re.search(r"^(?:#|[-*] )", text, re.MULTILINE):
        wrong.append("has a heading or a list item of its own; the change log adds the item")
    return [f"{path.name} {complaint}" for complaint in wrong]


def test_fragments_are_well_formed():
    found = list((ROOT / "changes.d").iterdir())
    assert [line for path in found for line in objections(path)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fix.md", "A change.\n"),
        ("2.news.md", "A change.\n"),
        ("two.added.md", "A change.\n"),
        ("2.added.txt", "A change.\n"),
        ("2.added.md", ""),
        ("2.added.md", "\n"),
        ("2.added.md", "A change"),
        ("2.added.md", "A change\n"),
        ("2.added.md", "- A change.\n"),
        ("2.added.md", "# Changes\n\nA change.\n"),
    ],
)
def test_a_bad_fragment_would_be_found(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert objections(tmp_path / name) != []


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert qpsmtpd.__version__ == project["version"]
    released = re.findall(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == "Unreleased"
    if ".dev" not in project["version"]:
        assert released[1] == project["version"]


def test_contributing_is_one_page():
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    assert len(lines) <= 80


def test_every_listed_server_names_package_program_and_reason():
    rows = [
        line.split(maxsplit=2)
        for line in (ROOT / "tests" / "servers.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rows
    assert all(len(row) == 3 for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


def test_every_program_a_test_needs_is_listed():
    listed = set(
        re.findall(r"^(\w\S*)", (ROOT / "tests" / "servers.txt").read_text(), re.MULTILINE)
    )
    wanted = {
        node.args[1].value
        for name, _, tree in programs()
        if name.startswith("tests/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "needs"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    }
    assert wanted - listed == set()
