import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin import catalogue
from qpsmtpd.plugin.names import read_name
from qpsmtpd.plugin.search import find_class

GREYLIST = '''
"""my/grey-list - defer the first delivery of a stranger

DESCRIPTION

Says "later" to strangers.

RESULTS

rcpt: DENYSOFT.
"""
from qpsmtpd.plugin import Duration, Plugin, blocking


class GreyList(Plugin):
    class Args:
        positional = ("zone",)
        zone: str  #: where strangers live
        delay: Duration = Duration("50m")  #: time to wait,
        #: at least
        reject: str = ""
        names: list[str]
        #: of friends
        strict: bool = False

        word = "no field"

        def check(self):
            pass

    def register(self):
        self.register_hook("data-post", self.late)
        self.register_hook("quit", late_function)
        self.register_hook(self.args.zone, "hook_rcpt")

    def hook_rcpt(self, transaction, recipient, params): ...

    async def hook_connect(self, connection): ...

    @blocking
    def late(self, transaction): ...


def late_function(plugin, connection): ...
'''

CHILD = '''
"""child - a greylist for children"""
from qpsmtpd.plugin import Plugin
from {module} import GreyList


class Child(GreyList):
    class Args(GreyList.Args):
        age: int = 12  #: of the oldest child
'''


@pytest.fixture
def directory(write):
    write("my/grey_list.py", GREYLIST.lstrip())
    write(
        "plain.py", '"""Do something plain.\n\nMore."""\ndef hook_quit(plugin, connection): ...\n'
    )
    write("silent.py", "def hook_quit(plugin, connection): ...\n")
    write("broken.py", "def :\n")
    write("needy.py", '"""needy - needs much"""\nimport nothing_like_it\n')
    write("test_plain.py", "")
    write("conftest.py", "")
    return write("_private.py", "")


def own(directory):
    return [entry for entry in catalogue.entries([directory]) if entry.path.startswith(directory)]


def test_entries_of_a_directory(directory):
    assert [(entry.name, entry.summary) for entry in own(directory)] == [
        ("broken", "cannot be read: invalid syntax (<unknown>, line 1)"),
        ("my/grey-list", "defer the first delivery of a stranger"),
        ("needy", "needs much"),
        ("plain", "Do something plain."),
        ("silent", ""),
    ]


def test_a_directory_hides_bundled_plugins_and_the_first_one_wins(write, monkeypatch):
    entry = catalogue.Entry("queue/some-queue", "bundled", "/bundled")
    monkeypatch.setattr(catalogue, "_bundled_entries", lambda: [entry])
    first = write("a/queue/some_queue.py", '"""first"""')
    write("b/queue/some-queue.py", '"""second"""')
    assert catalogue.entries() == [entry]
    (found,) = catalogue.entries([f"{first}/a", f"{first}/b"])
    assert found.summary == "first"
    (found,) = catalogue.entries([f"{first}/b", f"{first}/nowhere"])
    assert (found.name, found.summary) == ("queue/some-queue", "second")


def test_bundled_plugins_are_listed_under_the_names_lines_have():
    found = catalogue.bundled()
    assert found == sorted(found)
    assert {"rcpt_ok", "queue/discard", "logging/warn"} <= set(found)
    assert set(found) <= set(catalogue.names())
    assert not [name for name in found if "__" in name or name.startswith("_")]


@pytest.mark.parametrize("name", catalogue.bundled())
def test_every_bundled_plugin_says_what_it_does(name):
    said = catalogue.summary(name)
    assert re.fullmatch(r"[A-Za-z0-9].*[^.]", said), said


def test_a_listing_imports_no_plugin():
    program = (
        "import sys\n"
        "from qpsmtpd.plugin.catalogue import entries\n"
        "assert entries()\n"
        "print([name for name in sys.modules if name.startswith('qpsmtpd.plugins.')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_summary(directory):
    assert catalogue.summary("my/grey_list", [directory]).startswith("defer the first")
    assert catalogue.summary("my/grey-list:2", [directory]).startswith("defer the first")


def test_a_manual_page(directory):
    assert catalogue.manual("my/grey-list", [directory]) == textwrap.dedent(
        """\
        my/grey-list - defer the first delivery of a stranger

        DESCRIPTION

        Says "later" to strangers.

        ARGUMENTS

            my/grey-list <zone> [delay <delay>] [reject <reject>] [names <names>] [strict]

            zone
                Where strangers live. Text; required.

            delay
                Time to wait, at least. A length of time such as 50m; default 50m.

            reject
                Text.

            names
                Of friends. Text; may be repeated.

            strict
                Yes or no; default no.

        As every plugin it takes reject_type, loglevel, timeout, on_error, offload.

        RESULTS

        rcpt: DENYSOFT.

        HOOKS

            connect  (coroutine)
            rcpt  (plain)
            data_post  (blocking)
            quit  (plain)
        """
    )


def test_arguments_are_inherited_with_their_comments(write, directory):
    parent = find_class(read_name("my/grey-list"), [directory])
    write("child.py", CHILD.format(module=parent.__module__).lstrip())
    text = catalogue.manual("child", [directory])
    assert "Where strangers live. Text; required." in text
    assert "Of the oldest child. A whole number; default 12." in text


def test_a_manual_page_of_a_module_without_much_to_say(directory):
    text = catalogue.manual("silent", [directory])
    assert text.startswith("silent\n\nARGUMENTS\n\n    silent\n\nAs every plugin it takes reject,")
    assert text.endswith("HOOKS\n\n    quit  (plain)\n")


def test_fields_made_without_source_have_no_comments(services):
    class Made:
        name = "made"

    Made.Args = type("Args", (), {"__annotations__": {"x": int}, "x": 1, "__module__": "nowhere"})
    (found,) = catalogue.arguments_of(Made)
    assert (found[0].name, found[1]) == ("x", "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nothing", "no plugin 'nothing'; qpsmtpd plugins lists them"),
        ("needy", "plugin needy cannot be imported: No module named 'nothing_like_it'"),
    ],
)
def test_plugins_without_a_manual_page(directory, name, problem):
    with pytest.raises(ConfigError, match=problem):
        catalogue.manual(name, [directory])


def test_a_file_that_no_line_could_load(write, monkeypatch, tmp_path):
    write("x.py", "")
    entry = catalogue.Entry("x", "", str(tmp_path / "x.py"))
    monkeypatch.setattr(catalogue, "entries", lambda search: [entry])
    with pytest.raises(ConfigError, match="no plugin 'x'"):
        catalogue.manual("x")


def test_a_plugin_without_hooks(write):
    directory = write("idle.py", "def register(plugin): ...\n")
    assert "HOOKS" not in catalogue.manual("idle", [directory])


def test_paths_are_those_of_files(directory):
    assert all(Path(entry.path).is_file() for entry in catalogue.entries([directory]))


def test_private_modules_of_a_package_are_not_listed(write):
    write("pkg/_hidden.py", "")
    directory = write("pkg/sub/shown.py", '"""sub/shown - is shown"""')
    write("pkg/sub/__init__.py", "")
    found = list(catalogue._package_entries([f"{directory}/pkg"], ""))
    assert [(entry.name, entry.summary) for entry in found] == [("sub/shown", "is shown")]
