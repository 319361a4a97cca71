"""Docs in step with the code.

Generated pages are fresh, links lead somewhere, examples come from tested files, and every hook,
plugin and argument has its words and its test.
"""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from qpsmtpd.config.schema import SETTINGS
from qpsmtpd.constants import Result
from qpsmtpd.hooks import HOOKS
from qpsmtpd.plugin import catalogue
from qpsmtpd.plugin.args import GENERIC
from qpsmtpd.plugin.names import read_name
from qpsmtpd.plugin.search import find_class

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NAME = Path(__file__).name
PROSE = sorted(
    path for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern) if path.is_file()
)


def load(name):
    """Import a program of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load("generate")

PLUGINS = catalogue.bundled()
#: settings that something here goes by
OURS = [setting.name for setting in SETTINGS.values() if setting.owner in {"", *PLUGINS}]


def text_of_tests():
    """Join the text of all tests but this one."""
    paths = (path for kind in ("*.py", "*.smtp") for path in (ROOT / "tests").rglob(kind))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.name != NAME)


def unmentioned(names, pattern, text):
    """List the names that a pattern, made with them, does not find."""
    return [
        name
        for name in names
        if not re.search(pattern.format(re.escape(name)), text, re.MULTILINE)
    ]


# ------------------------------------------------------------------------------ generated pages


def test_generated_pages_are_fresh():
    assert generate.stale(generate.pages()) == [], "run make docs"


def test_a_stale_page_would_be_found(tmp_path):
    made = {"reference/a.md": "<!-- Made by `make docs` from a -->\n", "reference/b.md": "b"}
    assert generate.stale(made, tmp_path) == ["reference/a.md", "reference/b.md"]
    (tmp_path / "reference").mkdir()
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    assert generate.stale(made, tmp_path) == []
    (tmp_path / "reference" / "b.md").write_text("other")
    assert generate.stale(made, tmp_path) == ["reference/b.md"]
    del made["reference/a.md"]
    made["reference/b.md"] = "other"
    assert generate.stale(made, tmp_path) == ["reference/a.md"]


# ----------------------------------------------------------------------------- nothing missing


def test_every_hook_is_tested():
    missing = unmentioned(HOOKS, r"\bhook_{0}\b|[\"']{0}[\"']", text_of_tests())
    assert not missing, ", ".join(missing)


def test_every_hook_is_documented():
    text = (DOCS / "reference" / "hooks.md").read_text()
    missing = unmentioned(HOOKS, r"^\| `{0}` \|", text)
    assert not missing, ", ".join(missing)


def test_every_setting_is_tested():
    pattern = r"[\"'/]{0}[\"'\s=]|\b{0} ?=|^config {0}:"
    missing = unmentioned(OURS, pattern, text_of_tests())
    assert not missing, ", ".join(missing)


def test_every_setting_is_documented():
    text = (DOCS / "reference" / "settings.md").read_text()
    missing = unmentioned(OURS, r"^\| `{0}` \|", text)
    assert not missing, ", ".join(missing)


def test_what_is_not_mentioned_is_named():
    assert unmentioned(["a.b", "c"], r"`{0}`", "`a.b` `axb` c") == ["c"]
    assert unmentioned(["a.b"], r"`{0}`", "`axb`") == ["a.b"]


def test_every_result_is_explained():
    assert generate.RESULTS.keys() == Result.__members__.keys() - {"DENYHARD"}


def test_every_argument_of_every_plugin_is_explained():
    assert generate.GENERIC.keys() == GENERIC.keys()


@pytest.mark.parametrize("name", PLUGINS)
def test_every_plugin_is_documented(name):
    found = dict(generate.sections(name))
    assert found[""].startswith(f"{name} - ")
    assert found.keys() >= {"DESCRIPTION", "ARGUMENTS"}
    if "HOOKS" in found:
        assert "RESULTS" in found


@pytest.mark.parametrize("name", PLUGINS)
def test_every_argument_of_a_plugin_is_documented(name):
    arguments = catalogue.arguments_of(find_class(read_name(name), ()))
    assert [field.name for field, meaning in arguments if not meaning] == []


@pytest.mark.parametrize("name", PLUGINS)
def test_every_plugin_is_tested(name):
    folder, _, stem = name.replace("-", "_").rpartition("/")
    assert (ROOT / "tests" / "plugins" / folder / f"test_{stem}.py").is_file()


# --------------------------------------------------------------------------------------- prose


def targets(text):
    """List the links of a page, code left out."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(text):
    """List what links into a page may name."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page):
    """List the links of a page that lead nowhere; those to other hosts are not followed."""
    found = []
    for target in targets(page.read_text(encoding="utf-8")):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text("utf-8"))):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert broken(page) == []


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#two) [c](page.md) [d](none.md) `[e](no)`\n")
    assert broken(page) == ["#two", "none.md"]


def test_every_page_can_be_reached():
    seen, waiting = set(), {ROOT / "README.md"}
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for target in targets(page.read_text(encoding="utf-8")):
            name = target.partition("#")[0]
            path = (page.parent / name).resolve()
            if name.endswith(".md") and path.is_file() and path not in seen:
                waiting.add(path)
    assert {page for page in PROSE if DOCS in page.parents} - seen == set()


def examples(text):
    """List the Python examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def code():
    """Collect the text that examples may be cut from, without indentation."""
    paths = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    return "\n".join(squeezed(path.read_text(encoding="utf-8")) for path in paths)


def squeezed(text):
    """Drop indentation and blank lines, so that an example may be cut from inside a function."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def test_examples_are_cut_from_tested_files():
    tested = code()
    pages = ((page, page.read_text(encoding="utf-8")) for page in PROSE)
    found = [(page, example) for page, text in pages for example in examples(text)]
    assert [str(page) for page, example in found if squeezed(example) not in tested] == []
    for _, example in found:
        ast.parse(example)


def test_named_make_targets_exist():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in PROSE)
    named = set(re.findall(r"^ {4}make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE))
    assert {one or other for one, other in named} - known == set()
    assert {"run", "test"} <= {one or other for one, other in named}
