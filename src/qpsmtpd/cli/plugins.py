"""Commands about plugins: ``qpsmtpd plugins``, ``qpsmtpd hooks``, ``qpsmtpd new-plugin``."""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.parser import complaint
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Chains, Handler
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.logger import NullLogger
from qpsmtpd.plugin import Plugin, catalogue
from qpsmtpd.plugin.loader import Services, handlers, load_plugins

if TYPE_CHECKING:
    from qpsmtpd.config import Config
    from qpsmtpd.logger import Logger

__all__ = ["add_parsers", "command", "load_configured"]

_NAME: Final = re.compile(r"(?:[a-z_][a-z0-9_-]*/)?[a-z_][a-z0-9_-]*", re.ASCII)

_PLUGIN: Final = '''\
"""{name} - say in one sentence what it does

DESCRIPTION

Say here what it does, for whom, and what to watch out for.

RESULTS

rcpt: DENY `Not here` for recipients in the domain of the argument; DECLINED otherwise.
"""

from qpsmtpd.plugin import DECLINED, Address, Answer, Parameters, Plugin, Transaction


class {cls}(Plugin):
    """Refuses recipients in one domain."""

    class Args:
        positional = ("domain",)
        domain: str = "example.org"  #: domain of the recipients that are refused

    def hook_rcpt(
        self, transaction: Transaction, recipient: Address, params: Parameters
    ) -> Answer:
        """Look at one recipient."""
        if self.is_immune(transaction) or recipient.host.lower() != self.args.domain:
            return DECLINED
        return self.get_reject(transaction, "Not here", f"recipient {{recipient}}")
'''

_TEST: Final = '''\
"""Tests of {name}; run them with pytest."""

from pathlib import Path

import pytest


@pytest.fixture
def server(smtpd):
    smtpd.plugin_dirs.append(str(Path(__file__).parent{up}))
    smtpd.load("relay", "{name} domain=example.net", "rcpt_ok")
    smtpd.config(rcpthosts=["example.net", "example.org"])
    return smtpd


def test_refuses_the_domain(server):
    with server.connect() as client:
        assert client.deliver("user@example.net") == (550, "Not here")


def test_leaves_others_alone(server):
    with server.connect() as client:
        assert client.deliver("user@example.org") == 250


def test_leaves_relay_clients_alone(server):
    server.config(relayclients=["192.0.2.1"])
    with server.connect("192.0.2.1") as client:
        assert client.deliver("user@example.net") == 250
'''


def add_parsers(subparsers: Any) -> None:
    """Add the three commands.

    Args:
        subparsers: what ``ArgumentParser.add_subparsers`` returned.
    """
    plugins = subparsers.add_parser(
        "plugins",
        help="list plugins, or print the manual page of one",
        description="Lists all plugins with a sentence on each, or prints a manual page.",
    )
    plugins.add_argument("name", nargs="?", help="a plugin, as a line of config/plugins has it")
    add_directory(plugins)
    plugins.set_defaults(command=command, action="plugins")

    hooks = subparsers.add_parser(
        "hooks",
        help="print which plugins are asked at each hook",
        description="Loads the configured plugins and prints the handlers of each hook in the "
        "order in which they are asked, with their kind and the seconds they may take.",
    )
    hooks.add_argument("hook", nargs="?", help="print this hook only")
    hooks.add_argument("--all", action="store_true", help="print hooks without handlers, too")
    add_directory(hooks)
    hooks.set_defaults(command=command, action="hooks")

    new = subparsers.add_parser(
        "new-plugin",
        help="write a plugin to start from, with a test that passes",
        description="Writes NAME.py and its test; nothing is ever overwritten.",
    )
    new.add_argument("name", help="name of the plugin: lower case, one directory at most")
    new.add_argument("directory", nargs="?", default=".", help="a plugin directory; default: here")
    new.set_defaults(command=command, action="new-plugin")


def command(arguments: argparse.Namespace) -> int:
    """Run one of the commands.

    Returns:
        Exit code: 0, or 1 after a complaint on standard error.
    """
    try:
        return _ACTIONS[arguments.action](arguments)
    except BrokenPipeError:
        raise  # somebody has seen enough
    except (ConfigError, OSError) as error:
        print(f"qpsmtpd: {complaint(error)}", file=sys.stderr)
        return 1


def _plugins(arguments: argparse.Namespace) -> int:
    search = _search(open_config(arguments))
    if arguments.name:
        print(catalogue.manual(arguments.name, search), end="")
        return 0
    entries = catalogue.entries(search)
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        print(f"{entry.name:{width}}  {entry.summary}")
    return 0


def _hooks(arguments: argparse.Namespace) -> int:
    config = open_config(arguments)
    wanted = arguments.hook.replace("-", "_").removeprefix("hook_") if arguments.hook else ""
    if wanted and wanted not in HOOKS:
        raise ConfigError(f"no hook {arguments.hook!r}; there are {', '.join(HOOKS)}")
    problems: list[ConfigError] = []
    chains = Chains(handlers(load_configured(config, problems=problems)))
    shown = [wanted] if wanted else [name for name in HOOKS if chains[name] or arguments.all]
    for name in shown:
        print("\n".join([name, *_described(chains[name])]))
    for problem in problems:
        print(f"qpsmtpd: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _described(chain: Iterable[Handler]) -> list[str]:
    """Write one line for each handler."""
    rows = [
        f"    {handler.plugin:32} {handler.kind.value:10} {handler.timeout:6g}s"
        + ("" if handler.on_error.name == "DECLINED" else f"  on_error {handler.on_error.name}")
        for handler in chain
    ]
    return rows or ["    nobody"]


def _new_plugin(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{name!r} is no name for a plugin: a-z, 0-9, _ and -, one / at most")
    module = name.replace("-", "_")
    root = Path(arguments.directory)
    file = root / f"{module}.py"
    test = file.with_name(f"test_{file.name}")
    for path in (file, test):
        if path.exists():
            raise ConfigError(f"{path} exists; nothing was written")
    words = file.stem.split("_")
    values = {
        "name": name,
        "cls": "".join(word.capitalize() for word in words if word),
        "up": ".parent" * module.count("/"),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((file, _PLUGIN), (test, _TEST)):
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text.format_map(values))
        print(f"wrote {path}")
    print(f"\nput {root.resolve()} into config/plugin_dirs and {name} into config/plugins")
    return 0


def load_configured(
    config: "Config",
    *,
    strict: bool = False,
    problems: list[ConfigError] | None = None,
    logger: "Logger | None" = None,
) -> list[Plugin]:
    """Load the plugins of the configuration, to look at them and not to serve.

    Args:
        config: the configuration.
        strict: let unknown words on a plugin's line be errors.
        problems: where errors are collected; None to have the first one raised.
        logger: where the plugins, and the notes about their lines, are logged.

    Raises:
        ConfigError: a plugin cannot be loaded.
    """
    services = Services(config, logger or NullLogger(), factories=_factories())
    lines = [*config.plugin_lines("logging"), *config.plugin_lines("plugins")]
    return load_plugins(lines, services, _search(config), strict=strict, problems=problems)


def _search(config: "Config") -> list[str]:
    return config.lines("plugin_dirs")


def _factories() -> dict[str, Any]:
    """Services for plugins that ask for one while they are loaded; made on demand."""
    from qpsmtpd import services  # noqa: PLC0415 - imports what it must when it must

    return {
        "clock": services.SystemClock,
        "dns": services.BlockingDns,
        "process": services.BlockingProcess,
        "store": services.MemoryStore,
    }


_ACTIONS: Final = {"plugins": _plugins, "hooks": _hooks, "new-plugin": _new_plugin}
