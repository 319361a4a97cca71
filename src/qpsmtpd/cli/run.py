"""``qpsmtpd run``: try it, here and now, with nothing set up."""

import argparse
import os
import pwd
import socket
import sys
from pathlib import Path
from typing import Any, Final

from qpsmtpd.cli.parser import complaint
from qpsmtpd.cli.serve import run as run_daemon
from qpsmtpd.config import Config, starter
from qpsmtpd.constants import LOGNOTICE
from qpsmtpd.deploy.exits import Exit
from qpsmtpd.deploy.options import Options
from qpsmtpd.errors import ConfigError
from qpsmtpd.telemetry.log import Log

__all__ = ["add_parsers", "run"]

_HOST: Final = "127.0.0.1"
_PORT: Final = 2525
#: whom to become when started as root
_NOBODY: Final = "nobody"


def add_parsers(subparsers: Any) -> None:
    """Add the command to a program."""
    parser = subparsers.add_parser(
        "run", help="try it: take mail on 127.0.0.1:2525", description=run.__doc__
    )
    parser.add_argument("--port", type=int, default=_PORT, metavar="N", help="another port")
    parser.add_argument(
        "--directory",
        default="run",
        metavar="DIR",
        help="where configuration, mail and state are kept; made when missing",
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Take mail on 127.0.0.1 into a maildir, with a configuration made for looking around."""
    directory = Path(arguments.directory).absolute()
    try:
        _check_port(arguments.port)
        directory.parent.stat()
        user = _user(directory)
        _prepare(directory, user)
        config = Config([str(directory / "config")])
        options = Options(
            listen=(f"{_HOST}:{arguments.port}",),
            workers=1,
            user=user,
            engine_options={
                "config_dirs": [str(directory / "config")],
                "settings": {"state_file": str(directory / "state.sqlite")},
                "report": True,
            },
        )
    except ConfigError as error:
        print(f"qpsmtpd run: {error}", file=sys.stderr)
        return Exit.CONFIG_ERROR
    except OSError as error:
        words = "name another directory with --directory"
        print(f"qpsmtpd run: {complaint(error)}; {words}", file=sys.stderr)
        return Exit.CONFIG_ERROR
    print(_welcome(directory, arguments.port, config.text("me") or "localhost"), flush=True)
    return run_daemon(options, Log(LOGNOTICE))


def _welcome(directory: Path, port: int, me: str) -> str:
    mail = _shown(directory / "Maildir")
    return f"""\
qpsmtpd listens on {_HOST}, port {port}.
It takes mail from this machine for anybody, and puts it into {mail};
its configuration is in {_shown(directory / "config")}, beginning with the file plugins.

Send a first message from another terminal, with any SMTP client; for example:

  printf 'Subject: hello\\n\\nFirst mail.\\n' | curl -sS --crlf smtp://{_HOST}:{port} \\
    --mail-from me@localhost --mail-rcpt you@{me} --upload-file -

Stop with Ctrl-C. Each message and refusal is reported below.
"""


def _shown(path: Path) -> str:
    """Write a path as short as it can be from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path)


def _prepare(directory: Path, user: str) -> None:
    """Make what is missing below *directory*, and give it to *user*."""
    config = directory / "config"
    directory.mkdir(mode=0o755, exist_ok=True)
    if not config.exists():
        starter.write(str(config), me="localhost", maildir=str(directory / "Maildir"))
    if user:
        entry = pwd.getpwnam(user)
        os.chown(directory, entry.pw_uid, entry.pw_gid)


def _user(directory: Path) -> str:
    """Whom to become: nobody instead of root, where nobody can get at the program."""
    if os.getuid() != 0:
        return ""
    wanted = (Path(__file__), Path(sys.executable).resolve(), directory.parent)
    if _reachable(_NOBODY, wanted):
        return _NOBODY
    print(
        f"qpsmtpd run: user {_NOBODY} cannot read {directory.parent}, so this runs as root; "
        "to run it without privileges, start it as an ordinary user, or from another directory",
        file=sys.stderr,
    )
    return "root"


def _reachable(user: str, paths: tuple[Path, ...]) -> bool:
    """Ask in a process of that user whether it can read paths."""
    entry = pwd.getpwnam(user)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os._exit(0 if all(os.access(path, os.R_OK) for path in paths) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _check_port(port: int) -> None:
    """Say what to do about a busy port before anything else is said."""
    if not 0 < port < 65536:
        raise ConfigError(f"--port {port}: ports are 1 to 65535, as 2525")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except PermissionError:
            raise ConfigError(f"--port {port}: ports below 1024 are root's; take 2525") from None
        except OSError as error:
            raise ConfigError(
                f"port {port} of {_HOST} cannot be used: {error.strerror}; stop the program that "
                f"listens there (`ss -ltnp` names it), or take another port: qpsmtpd run --port "
                f"{max(1024, port % 65535 + 1)}"
            ) from None
