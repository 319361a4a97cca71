import importlib.metadata
import importlib.util
import os
import sys
import types

import pytest

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin import search
from qpsmtpd.plugin.base import Plugin
from qpsmtpd.plugin.names import read_name
from qpsmtpd.plugin.search import find_class, plugin_files

ONE = "from qpsmtpd.plugin import Plugin\nclass One(Plugin):\n    pass\n"


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Leave no module behind."""
    before = set(sys.modules)
    monkeypatch.setattr(search, "_imported", {})
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("_qpsmtpd_plugin_", "somewhere")):
            del sys.modules[name]


def find(name, *directories):
    return find_class(read_name(name), directories)


def test_a_file_in_a_plugin_directory(write):
    directory = write("one.py", ONE)
    assert find("one", directory).__name__ == "One"


def test_the_first_directory_wins(write, tmp_path):
    write("a/one.py", ONE.replace("One", "First"))
    write("b/one.py", ONE.replace("One", "Second"))
    assert find("one", str(tmp_path / "a"), str(tmp_path / "b")).__name__ == "First"
    assert find("one", str(tmp_path / "none"), str(tmp_path / "b")).__name__ == "Second"


@pytest.mark.parametrize("file", ["queue/my-queue.py", "queue/my_queue.py"])
def test_dashes_may_be_underscores_in_files(write, file):
    directory = write(file, ONE)
    assert find("queue/my-queue", directory).__name__ == "One"


def test_the_files_looked_for():
    assert plugin_files("queue/a-b", ["/x"]) == ["/x/queue/a-b.py", "/x/queue/a_b.py"]
    assert plugin_files("a", ["/x", "/y"]) == ["/x/a.py", "/y/a.py"]


def test_a_file_is_imported_once_for_all_instances(write):
    directory = write("one.py", ONE)
    assert find("one", directory) is find("one:2", directory)


def test_a_file_that_changed_is_imported_again(write, tmp_path):
    directory = write("one.py", ONE)
    first = find("one", directory)
    write("one.py", ONE.replace("One", "Other"))
    os.utime(tmp_path / "one.py", ns=(1, 1))
    second = find("one", directory)
    assert (first.__name__, second.__name__) == ("One", "Other")
    assert first.__module__ not in sys.modules


def test_a_file_that_cannot_be_imported_leaves_nothing_behind(write):
    before = set(sys.modules)
    directory = write("one.py", "raise KeyError('x')")
    with pytest.raises(KeyError):
        find("one", directory)
    assert {name for name in set(sys.modules) - before if "_qpsmtpd_plugin_" in name} == set()


def test_a_file_hides_a_bundled_plugin_of_its_name(write):
    directory = write("rcpt_ok.py", ONE)
    assert find("rcpt_ok", directory).__name__ == "One"


def test_bundled_plugins(monkeypatch):
    module = types.ModuleType("qpsmtpd.plugins.some.bundled_one")

    class BundledOne(Plugin):
        pass

    BundledOne.__module__ = module.__name__
    module.BundledOne = BundledOne
    monkeypatch.setitem(sys.modules, "qpsmtpd.plugins.some", types.ModuleType("x"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert find("some/bundled-one") is BundledOne


@pytest.mark.parametrize("name", ["nothing_like_it", "queue/nothing", "queue", "a.b"])
def test_what_is_nowhere(name):
    assert find(name) is None


# Which class


def test_a_module_of_functions(write, services):
    directory = write(
        "talk_back.py",
        '"""talk_back - answers"""\n'
        "from qpsmtpd.plugin import OK, blocking\n"
        "class Args:\n    word: str = 'hello'\n"
        "eager = True\n"
        "def register(plugin):\n    plugin.seen = plugin.args.word\n"
        "@blocking\ndef hook_quit(plugin, connection):\n    return OK, plugin.seen\n"
        "def helper():\n    pass\n",
    )
    cls = find("talk_back", directory)
    assert cls.__name__ == "TalkBack"
    assert cls.__doc__ == "talk_back - answers"
    assert cls.eager is True
    assert not hasattr(cls, "helper")
    assert find("talk_back:2", directory) is cls


def test_a_module_that_only_registers(write):
    directory = write("late.py", "def register(plugin):\n    pass\n")
    assert find("late", directory).__name__ == "Late"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("class Two(One): pass\n", "Two"),
        ("class Two(Plugin): pass\nclass TheFile(Plugin): pass\n", "TheFile"),
        ("class _Base(Plugin): pass\n", "One"),
    ],
)
def test_one_class_of_several(write, text, name):
    assert find("the_file", write("the_file.py", ONE + text)).__name__ == name


def test_a_class_that_is_only_imported(write):
    directory = write("mine.py", "from tests_of_search import Shared\n")
    shared = types.ModuleType("tests_of_search")
    shared.Shared = type("Shared", (Plugin,), {"__module__": "tests_of_search"})
    sys.modules["tests_of_search"] = shared
    try:
        assert find("mine", directory) is shared.Shared
    finally:
        del sys.modules["tests_of_search"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            ONE + "class Two(Plugin): pass\n",
            r"has several plugins \(One, Two\); give one the name",
        ),
        ("x = 1\n", "has no plugin: write a class derived from qpsmtpd.plugin.Plugin"),
        (ONE + "def hook_quit(plugin, connection): pass\n", "has both a class and functions"),
        ("hook_quit = 1\n", "hook_quit is no function"),
    ],
)
def test_files_that_are_no_plugin(write, text, problem):
    directory = write("odd.py", text)
    with pytest.raises(ConfigError, match=problem):
        find("odd", directory)


# Classes of packages


@pytest.fixture
def package(write, monkeypatch):
    monkeypatch.syspath_prepend(write("somewhere/spam.py", ONE + "number = 1\n"))
    write("somewhere/__init__.py", "")
    write("somewhere/broken.py", "import nothing_like_it\n")


@pytest.mark.usefixtures("package")
def test_a_class_of_a_package():
    assert find("somewhere.spam:One:2").__name__ == "One"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("somewhere.spam:Two", "module somewhere.spam has no Two"),
        ("somewhere.spam:number", "has something else than a plugin class called number"),
    ],
)
def test_what_is_no_class_of_a_package(name, problem):
    with pytest.raises(ConfigError, match=problem):
        find(name)


@pytest.mark.usefixtures("package")
def test_a_package_that_is_not_there():
    assert find("somewhere.else:One") is None
    assert find("nowhere.at.all:One") is None


@pytest.mark.usefixtures("package")
def test_a_package_that_does_not_work_says_so():
    with pytest.raises(ModuleNotFoundError, match="nothing_like_it"):
        find("somewhere.broken:One")


# Entry points


class Installed(Plugin):
    pass


@pytest.mark.parametrize("found", [Installed, sys.modules[__name__]])
def test_an_installed_package(monkeypatch, found):
    point = types.SimpleNamespace(name="acme_spam", value="acme:x", load=lambda: found)
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: [point] if group == "qpsmtpd.plugins" else [],
    )
    assert find("acme-spam") is Installed
    assert find("acme-eggs") is None


def test_an_entry_point_to_something_else(monkeypatch):
    point = types.SimpleNamespace(name="acme", value="acme:x", load=lambda: 3)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match="entry point acme:x is neither a plugin class nor"):
        find("acme")


def test_a_file_that_python_does_not_import(monkeypatch, write):
    directory = write("one.py", ONE)
    monkeypatch.setattr(importlib.util, "spec_from_file_location", lambda *words: None)
    with pytest.raises(ConfigError, match=r"one\.py cannot be imported"):
        find("one", directory)
