import subprocess
import sys

import pytest

from qpsmtpd.constants import LOGNOTICE, LOGWARN
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Chains
from qpsmtpd.plugin import loader
from qpsmtpd.plugin.base import Plugin
from qpsmtpd.plugin.loader import handlers, load_plugin, load_plugins


class Filter(Plugin):
    class Args:
        positional = ("word",)
        word: str = ""

    def hook_rcpt(self, transaction, recipient, params): ...


class Eager(Plugin):
    class Args:
        also: str = ""

    def hook_mail(self, transaction, sender, params): ...

    def register(self):
        self.register_hook("rcpt", self.early, first=True)
        self.register_hook("rcpt", self.late)

    def early(self, transaction, recipient, params): ...

    def late(self, transaction, recipient, params): ...


class Line:
    def __init__(self, text, line=1, file="/etc/plugins"):
        self.name, *self.args = text.split()
        self.file, self.line = file, line


@pytest.fixture
def known(monkeypatch):
    """Let only these plugins exist."""

    def only(**classes):
        def find_class(name, search):
            found = classes.get(name.path.replace("/", "_"))
            if isinstance(found, BaseException):
                raise found
            return found

        monkeypatch.setattr(loader, "find_class", find_class)

    return only


def load(services, *texts, **options):
    return load_plugins([Line(text, at) for at, text in enumerate(texts, 1)], services, **options)


def test_plugins_come_in_the_order_of_their_lines(known, services):
    known(filter=Filter, eager=Eager)
    plugins = load(services, "eager", "filter hello", "filter:2")
    assert [plugin.name for plugin in plugins] == ["eager", "filter", "filter_3a2"]
    assert [plugin.config_args for plugin in plugins] == [[], ["hello"], []]


def test_first_goes_in_front_of_earlier_plugins(known, services):
    known(filter=Filter, eager=Eager)
    plugins = load(services, "filter", "eager", "filter:2", "eager:2")
    chains = Chains(handlers(plugins))
    assert [(one.plugin, one.call.__name__) for one in chains["rcpt"]] == [
        ("eager_3a2", "early"),
        ("eager", "early"),
        ("filter", "hook_rcpt"),
        ("eager", "late"),
        ("filter_3a2", "hook_rcpt"),
        ("eager_3a2", "late"),
    ]
    assert [one.plugin for one in chains["mail"]] == ["eager", "eager_3a2"]


def test_one_line_of_text(known, services):
    known(filter=Filter)
    plugin = load_plugin("filter hello reject 0", services)
    assert (plugin.args.word, plugin.reject) == ("hello", "0")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("filter on_error ok", "/etc/plugins:1: filter: argument on_error: 'ok' cannot stand"),
        ("Acme::Spam", "/etc/plugins:1: plugin name 'Acme::Spam' is that of a Perl module"),
        ("fliter", "/etc/plugins:1: no plugin 'fliter'"),
    ],
)
def test_problems_name_file_and_line(known, services, text, problem):
    known(filter=Filter)
    with pytest.raises(ConfigError, match=problem):
        load(services, text)


def test_a_line_without_a_name(services):
    with pytest.raises(ConfigError, match="plugins:1: plugin name ''"):
        load_plugin("", services)


def test_a_place_that_a_plugin_has_named_is_kept(known, services):
    class Reads(Plugin):
        def register(self):
            raise ConfigError("no network", file="hosts_allow", line=3)

    known(reads=Reads)
    with pytest.raises(ConfigError, match=r"^hosts_allow:3: no network$"):
        load(services, "reads")


def test_a_line_number_that_is_not_known(known, services):
    known()
    with pytest.raises(ConfigError, match=r"^qpsmtpd.toml: no plugin"):
        load_plugins([Line("x", 0, "qpsmtpd.toml")], services)


def test_an_exception_in_register_names_its_last_place(known, services):
    class Fails(Plugin):
        def register(self):
            {}["key"]

    known(fails=Fails)
    with pytest.raises(ConfigError, match=r"cannot be loaded: KeyError: 'key' \(.*\.py:\d+\)$"):
        load(services, "fails")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ModuleNotFoundError("No module named 'geoip2.db'", name="geoip2.db"),
            "plugin p needs the Python module geoip2, which cannot be imported: No module",
        ),
        (
            ModuleNotFoundError("No module", name="qpsmtpd.nothing"),
            r"cannot be loaded: ModuleNotFoundError: No module \(.*:\d+\)$",
        ),
        (ImportError("cannot import name 'x'"), "cannot be loaded: ImportError: cannot import"),
        (SystemExit(), r"cannot be loaded: SystemExit \("),
        (
            SyntaxError("invalid syntax", ("/p.py", 7, 1, "text")),
            r"SyntaxError: invalid syntax \(/p.py:7\)",
        ),
    ],
)
def test_exceptions_at_import(known, services, error, text):
    known(p=error)
    with pytest.raises(ConfigError, match=text) as caught:
        load(services, "p")
    assert caught.value.__cause__ is error


def test_a_traceback_without_files():
    assert loader._last_place(None) == "unknown place"


def test_a_file_with_an_error_names_its_line(write, services):
    directory = write("broken.py", "\n\ndef nonsense(:\n")
    with pytest.raises(ConfigError, match=r"SyntaxError: .* \(.*broken\.py:3\)$"):
        load_plugin("broken", services, [directory])


def test_a_missing_plugin_says_where_it_was_looked_for(services, write):
    directory = write("my_filter.py", "")
    with pytest.raises(ConfigError) as caught:
        load_plugin("xyzzy", services, [directory])
    assert str(caught.value) == (
        f"plugins:1: no plugin 'xyzzy'; looked in {directory}, the bundled plugins, installed "
        "packages (entry points qpsmtpd.plugins)"
    )
    with pytest.raises(ConfigError, match=r"no plugin 'my_fliter'; did you mean my_filter\? look"):
        load_plugin("my_fliter", services, [directory])


def test_a_perl_plugin_is_told_apart(services, write):
    directory = write("their_filter", "=head1 NAME\n")
    with pytest.raises(ConfigError, match=r"their_filter is no Python plugin: .* end in .py"):
        load_plugin("their_filter", services, [directory])


def test_a_missing_module(services):
    with pytest.raises(ConfigError, match=r"plugin no.such:Class: there is no module no.such; is"):
        load_plugin("no.such:Class", services)


# What does no harm


def test_unknown_words_are_logged(known, services, logger):
    known(filter=Filter)
    load(services, "filter one wrod 2")
    assert logger.lines == [
        (
            LOGWARN,
            "",
            "filter",
            (
                "/etc/plugins:1: filter: unknown argument 'wrod' with value '2' is ignored; "
                "did you mean word?"
            ),
        )
    ]


def test_strict_makes_warnings_errors(known, services):
    known(filter=Filter)
    with pytest.raises(ConfigError, match="/etc/plugins:1: filter: unknown argument"):
        load(services, "filter one wrod 2", strict=True)


def test_two_plugins_of_one_name_are_warned_about(known, services, logger):
    known(filter=Filter)
    assert len(load(services, "filter", "filter")) == 2
    assert logger.texts == [
        "/etc/plugins:2: filter is loaded twice under one name; write filter:2 to tell them apart"
    ]


def test_problems_are_collected(known, services):
    known(filter=Filter)
    problems = []
    plugins = load(
        services,
        "filter one two",
        "nothing",
        "filter:2 timeout x",
        "filter:3",
        strict=True,
        problems=problems,
    )
    assert [problem.line for problem in problems] == [1, 2, 3]
    assert [plugin.name for plugin in plugins] == ["filter", "filter_3a3"]


@pytest.mark.parametrize(
    ("line", "name", "words", "notes"),
    [
        (
            "check_badmailfrom",
            "badmailfrom",
            [],
            ["check_badmailfrom: is called badmailfrom today"],
        ),
        (
            "check_badmailfrom_patterns:1 reject 0",
            "badmailfrom_3a1",
            ["reject", "0"],
            [
                (
                    "check_badmailfrom_patterns:1: is called badmailfrom today; move the lines of "
                    "badmailfrom_patterns to badmailfrom"
                )
            ],
        ),
        (
            "async/dnsbl disconnect",
            "dnsbl",
            ["reject_type", "disconnect"],
            [
                "async/dnsbl: is called dnsbl today",
                "async/dnsbl: disconnect is now reject_type disconnect",
            ],
        ),
        (
            "dnsbl disconnect",
            "dnsbl",
            ["reject_type", "disconnect"],
            ["dnsbl: disconnect is now reject_type disconnect"],
        ),
    ],
)
def test_old_names(known, services, logger, line, name, words, notes):
    known(badmailfrom=Filter, dnsbl=Filter)
    (plugin,) = load(services, line)
    assert (plugin.name, plugin.config_args) == (name, words)
    assert logger.lines == [(LOGNOTICE, "", name, f"/etc/plugins:1: {note}") for note in notes]


def test_an_own_plugin_of_an_old_name_comes_first(known, services, logger):
    known(check_relay=Filter, relay=Eager)
    assert load(services, "check_relay")[0].name == "check_relay"
    assert logger.lines == []


def test_an_old_name_whose_plugin_is_missing(known, services):
    known()
    with pytest.raises(ConfigError, match="no plugin 'check_relay'"):
        load(services, "check_relay")


@pytest.mark.parametrize(
    ("line", "which"),
    [
        ("milter clam 9900", "milter"),
        ("check_loop 5", "check_loop, called loop today,"),
        ("async/uribl", "async/uribl, called uribl today,"),
    ],
)
def test_a_plugin_of_the_original_that_is_not_here_yet(known, services, line, which):
    known()
    with pytest.raises(ConfigError) as caught:
        load(services, line)
    complaint = f"plugin {which} is not here yet; put # in front of its line to do without"
    assert str(caught.value) == f"/etc/plugins:1: {complaint}"


def test_a_plugin_that_is_gone_is_passed_over(known, services, logger):
    known(filter=Filter)
    assert [plugin.name for plugin in load(services, "auth/authnull", "filter")] == ["filter"]
    (line,) = logger.lines
    assert line[:3] == (LOGWARN, "", "auth::authnull")
    assert line[3].startswith("/etc/plugins:1: plugin auth/authnull is gone, its line is ignored")


def test_a_plugin_that_is_gone_is_an_error_where_it_matters(known, services):
    known()
    with pytest.raises(ConfigError, match="/etc/plugins:1: plugin skip_plugins is gone"):
        load(services, "skip_plugins", strict=True)
    with pytest.raises(ConfigError, match="plugin skip_plugins is gone"):
        load_plugin("skip_plugins", services)


SLOW = "asyncio email inspect dataclasses importlib.metadata ssl dns pathlib difflib"


def test_loading_imports_nothing_slow(write):
    directory = write(
        "lean.py",
        "from qpsmtpd.plugin import Plugin\n"
        "class Lean(Plugin):\n"
        "    def hook_quit(self, connection): ...\n",
    )
    program = (
        "import sys\n"
        "from qpsmtpd.logger import NullLogger\n"
        "from qpsmtpd.plugin.loader import Services, load_plugin\n"
        f"load_plugin('lean a', Services(None, NullLogger()), [{directory!r}])\n"
        f"print([name for name in {SLOW!r}.split() if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['difflib']\n"  # for the suggestion about the word nobody wants
