"""``qpsmtpd serve``: run a daemon, with the options of the original's programs.

What the command line leaves open comes from the configuration, then from ``deploy.Options``.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from qpsmtpd import __version__
from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.parser import Parser
from qpsmtpd.constants import LOGCRIT, LOGDEBUG, LOGINFO, LOGWARN
from qpsmtpd.deploy.arbiter import Arbiter
from qpsmtpd.deploy.detach import detach
from qpsmtpd.deploy.exits import Exit
from qpsmtpd.deploy.models import MODELS, find
from qpsmtpd.deploy.options import Options
from qpsmtpd.deploy.sources import default_address
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.logger import Logger

__all__ = ["arguments", "main", "options_from", "run"]


class Values(Protocol):
    """What is needed of the configuration."""

    def get(self, name: str) -> Any:
        """The value of a setting."""
        ...


class Ignored(NamedTuple):
    """An option of the original that has nothing to do here, and why."""

    flags: tuple[str, ...]
    metavar: str  #: of its value; "" if it takes none
    why: str


#: settings that are fields of ``Options``, by the same name
SETTINGS: Final = (
    "listen",
    "port",
    "backlog",
    "workers",
    "user",
    "group",
    "pid_file",
    "connections",
    "connections_per_ip",
    "ipv6_prefix",
    "graceful_timeout",
    "finish_timeout",
    "worker_timeout",
    "boot_timeout",
)

IGNORED: Final = (
    Ignored(("--config-port",), "VALUE", "`qpsmtpd status` asks the daemon's control socket"),
    Ignored(("--use-poll",), "", "the event loop takes the best the system has"),
    Ignored(("--quiet",), "", "the setting loglevel says what is logged"),
    Ignored(("--children",), "VALUE", "one worker serves many clients; see --workers"),
    Ignored(("--idle-children",), "VALUE", "workers wait for clients without being busy"),
    Ignored(("--pretty-child",), "", "`qpsmtpd status` shows what workers do"),
    Ignored(
        ("--renice-parent",), "VALUE", "the process that owns the sockets is hardly ever busy"
    ),
)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = Parser(prog=program, description="Run qpsmtpd as a daemon.")
    parser.code = Exit.CONFIG_ERROR
    add = parser.add_argument
    add("--model", choices=sorted(MODELS), help="deployment model")
    add(
        "-l",
        "--listen-address",
        "--interface",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="where to listen; repeatable; IPv6 in brackets; unix:/path; systemd. Options of one "
        'listener stand behind it: "[::]:24 lmtp"',
    )
    add("-p", "--port", action="append", type=_count, metavar="N", help="of addresses without one")
    add("-c", "--limit-connections", type=_count, metavar="N", help="in all; 0 for no limit")
    add("-m", "--max-from-ip", type=_count, metavar="N", help="of one address; 0 for no limit")
    add("-u", "--user", metavar="NAME", help="whom to become after the sockets are open")
    add("--group", metavar="NAME", help="group to become; the user's own if not given")
    add("--pid-file", metavar="FILE", help="where to record the daemon's process number")
    add("-d", "--detach", action="store_true", help="leave the terminal once clients are served")
    add("-H", "--no-rdns", action="store_true", help="do not look up clients' names")
    add("-j", "--procs", "--workers", type=_count, metavar="N", help="0 for one per processor")
    add("--backlog", type=_count, metavar="N", help="connections the kernel may hold")
    add("--ipv6-prefix", type=_count, metavar="BITS", help="what makes one IPv6 client")
    add("--graceful-timeout", type=_count, metavar="SECONDS", help="what sessions get after TERM")
    add_directory(parser)
    add("-v", "--verbose", action="store_true", help="log at LOGINFO")
    add("--debug", action="store_true", help="log at LOGDEBUG")
    version = f"Qpsmtpd Daemon - version {__version__}"
    add("--version", action="version", version=version)
    for option in IGNORED:
        text = f"accepted, without effect: {option.why}"
        if option.metavar:
            add(*option.flags, metavar=option.metavar, help=text)
        else:
            add(*option.flags, action="store_true", help=text)
    return parser


def arguments(argv: Sequence[str], program: str = "qpsmtpd serve") -> argparse.Namespace:
    """Read a command line.

    Raises:
        SystemExit: it cannot be read, or asked for help.
    """
    return _parser(program).parse_args(argv)


def _addresses(chosen: argparse.Namespace, listen: Sequence[str]) -> tuple[str, ...]:
    """Every address without a port of its own on every port that was named."""
    if not chosen.port:
        return tuple(listen)
    found = []
    for text in listen or (default_address(),):
        address, _, words = text.partition(" ")
        bare = address.endswith("]") if address.startswith("[") else ":" not in address
        ports = [f":{port}" for port in chosen.port] if bare and address != "systemd" else [""]
        found += [f"{address}{port} {words}".rstrip() for port in ports]
    return tuple(found)


def options_from(chosen: argparse.Namespace, config: Values) -> Options:
    """Join command line, configuration and defaults.

    Args:
        chosen: from ``arguments``.
        config: the settings.

    Raises:
        ConfigError: a value cannot be used.
    """
    values = {name: value for name in SETTINGS if (value := config.get(name)) is not None}
    given = {
        "workers": chosen.procs,
        "user": chosen.user,
        "group": chosen.group,
        "pid_file": chosen.pid_file,
        "connections": chosen.limit_connections,
        "connections_per_ip": chosen.max_from_ip,
        "ipv6_prefix": chosen.ipv6_prefix,
        "graceful_timeout": chosen.graceful_timeout,
        "backlog": chosen.backlog,
    }
    values.update({name: value for name, value in given.items() if value is not None})
    listen = chosen.listen_address or values.get("listen") or ()
    values["listen"] = _addresses(chosen, [listen] if isinstance(listen, str) else listen)
    model = find(chosen.model or config.get("model") or "async")
    options = Options(
        model=model.name,
        port=model.port,
        connections=model.connections,
        connections_per_ip=model.connections_per_ip,
        detach=chosen.detach,
        engine_options={"config_dirs": chosen.config_dir, "settings": _overrides(chosen)},
    )._replace(**values)
    _check(options)
    return options


def _overrides(chosen: argparse.Namespace) -> dict[str, str]:
    """Settings that the command line decides, for the engine."""
    found = {}
    if chosen.max_from_ip is not None:
        found["connections_per_ip"] = str(chosen.max_from_ip)
    if chosen.no_rdns:
        found["reverse_lookup"] = "0"
    if chosen.debug or chosen.verbose:
        found["loglevel"] = str(int(LOGDEBUG if chosen.debug else LOGINFO))
    return found


def _check(options: Options) -> None:
    if options.pid_file and not options.pid_file.startswith("/"):
        raise ConfigError(f"pid file {options.pid_file}: write the path from the root directory")
    if not 1 <= options.ipv6_prefix <= 128:
        raise ConfigError(f"ipv6_prefix {options.ipv6_prefix}: write 1 to 128 bits, usually 64")


def _threshold(chosen: argparse.Namespace, config: Values) -> int:
    if chosen.debug or chosen.verbose:
        return LOGDEBUG if chosen.debug else LOGINFO
    value = config.get("loglevel")
    return LOGWARN if value is None else int(value)


def run(options: Options, logger: "Logger", reload: Callable[[], Options] | None = None) -> int:
    """Run a daemon until it ends.

    Returns:
        An exit code, see ``deploy.exits``.
    """
    arbiter = Arbiter(options, logger, reload)
    try:
        arbiter.open()
    except ConfigError as error:
        logger.log(LOGCRIT, str(error))
        return Exit.CONFIG_ERROR
    return detach(arbiter.run) if options.detach else arbiter.run()


def main(argv: Sequence[str] | None = None, program: str = "qpsmtpd serve") -> int:
    """Run the command.

    Args:
        argv: what stands behind the command's name; None for this process's own.
        program: name for messages; the original's names are accepted by ``cli.main``.

    Returns:
        An exit code, see ``deploy.exits``.
    """
    from qpsmtpd.telemetry.log import Log  # noqa: PLC0415 - not needed for --help

    chosen = arguments(sys.argv[1:] if argv is None else argv, program)

    def read() -> Options:
        return options_from(chosen, open_config(chosen))

    try:
        config = open_config(chosen)
        logger = Log(_threshold(chosen, config), form=config.get("log_format"))
        options = read()
    except ConfigError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return Exit.CONFIG_ERROR
    return run(options, logger, read)
