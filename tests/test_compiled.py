"""Which modules are compiled: those that pyproject.toml names, or none."""

import os
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOOK = "tool.hatch.build.targets.wheel.hooks.mypyc"


def modules():
    """List the modules that can be compiled."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name in HOOK.split("."):
        table = table[name]
    for path in sorted((ROOT / "src").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        left_out = any(other in {path.name, name} for other in table["exclude"])
        if any(fnmatch(name, pattern) for pattern in table["include"]) and not left_out:
            yield ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)


@pytest.mark.parametrize("name", list(modules()))
def test_the_source_or_what_was_made_of_it_is_tested(name):
    suffix = ".so" if os.environ.get("QPSMTPD_COMPILED") else ".py"
    assert Path(import_module(name).__file__).suffix == suffix


def test_modules_are_found():
    assert {"qpsmtpd.smtp.session", "qpsmtpd.message.spool", "qpsmtpd.address"} <= set(modules())
    assert "qpsmtpd.hooks.watchdog" not in set(modules())
