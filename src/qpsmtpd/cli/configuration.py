"""Commands about the configuration: ``config show``, ``config convert``, ``init``."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.parser import complaint
from qpsmtpd.config import SETTINGS, Config, Problem, Setting, Type
from qpsmtpd.config.carriers import TOML
from qpsmtpd.config.schema import nearest
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "add_parsers",
    "check_settings",
    "convert",
    "init",
    "print_origins",
    "report",
    "show",
]

_HIDDEN = "(hidden)"


def add_parsers(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to a program."""
    commands = subparsers.add_parser(
        "config", help="show or convert the configuration"
    ).add_subparsers(metavar="COMMAND", required=True)
    showing = commands.add_parser("show", help="print settings", description=show.__doc__)
    showing.add_argument("name", nargs="?", metavar="NAME", help="the one to print")
    showing.add_argument("--origin", action="store_true", help="print where values come from")
    add_directory(showing)
    showing.set_defaults(command=show)

    converting = commands.add_parser(
        "convert", help="write the other form", description=convert.__doc__
    )
    converting.add_argument("form", choices=("toml", "control"), help="the form to write")
    converting.add_argument(
        "--to", metavar="PATH", help="file for toml, directory for control; standard output"
    )
    converting.add_argument("--force", action="store_true", help="write over existing files")
    add_directory(converting)
    converting.set_defaults(command=convert)

    starting = subparsers.add_parser(
        "init", help="write a configuration to start with", description=init.__doc__
    )
    starting.add_argument("directory", metavar="DIR", help="where to")
    starting.add_argument("--me", metavar="NAME", help="name of this host; its own")
    starting.add_argument("--maildir", metavar="PATH", help="for messages; DIR/Maildir")
    starting.set_defaults(command=init)


# ------------------------------------------------------------------------------------ check


def check_settings(config: Config) -> list[Problem]:
    """List what is wrong with settings, whatever the plugins say about theirs."""
    return config.check()


def report(problems: "Iterable[Problem]", *, strict: bool) -> int:
    """Print problems.

    Args:
        problems: what was found.
        strict: True to let warnings count.

    Returns:
        1 when there are any that count, else 0.
    """
    counted = False
    warned = False
    for problem in problems:
        print(f"{'warning' if problem.warning else 'error'}: {problem}", file=sys.stderr)
        warned = True
        counted = counted or strict or not problem.warning
    if not warned:
        print("The configuration has no mistakes.")
    return int(counted)


# ------------------------------------------------------------------------------------ config


def show(arguments: argparse.Namespace) -> int:
    """Print all settings, or one, with a line for each value."""
    config = open_config(arguments)
    if arguments.name is None:
        return _print_settings(config, SETTINGS.values(), origin=arguments.origin)
    setting = SETTINGS.get(arguments.name)
    try:
        if setting is None and not config.lines(arguments.name):
            hint = nearest(arguments.name, SETTINGS)
            print(f"error: there is no setting {arguments.name}{hint}", file=sys.stderr)
            return 1
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    known = setting or Setting(arguments.name, Type.LINES, None, "")
    return _print_settings(config, [known], origin=arguments.origin)


def print_origins(config: Config) -> None:
    """Print every setting that has a value, and where it comes from."""
    _print_settings(config, SETTINGS.values(), origin=True)


def _print_settings(config: Config, settings: "Iterable[Setting]", *, origin: bool) -> int:
    """Print settings that have a value; returns 1 when one of them cannot be used."""
    failed: set[str] = set()  # one file may be why many settings cannot be used
    for setting in settings:
        try:
            values = _values(config, setting)
        except ConfigError as error:
            if str(error) not in failed:
                print(f"error: {error}", file=sys.stderr)
            failed.add(str(error))
            continue
        for text, place in values:
            shown = _HIDDEN if setting.secret else text
            line = f"{setting.name} = {shown}" if shown else setting.name
            print(f"{line:<50} # {place}" if origin else line)
    return 1 if failed else 0


def _values(config: Config, setting: Setting) -> list[tuple[str, str]]:
    """List the values of a setting, each with where it comes from."""
    origins = config.origins(setting.name)
    if origins:
        return [(text, str(place)) for text, place in origins]
    if setting.type is Type.FILES:
        return []
    return [(text, "default") for text in config.lines(setting.name)]


def convert(arguments: argparse.Namespace) -> int:
    """Write the configuration in the other form; comments are lost."""
    from qpsmtpd.config.convert import left_out, to_control, to_toml  # noqa: PLC0415 - only here

    config = open_config(arguments)
    try:
        files = {TOML: to_toml(config)} if arguments.form == "toml" else to_control(config)
        remaining = left_out(config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.to is None:
        for name, content in files.items():
            if arguments.form == "control":
                print(f"==> {name} <==")
            print(content, end="")
    else:
        target = Path(arguments.to)
        as_file = arguments.form == "toml" and not target.is_dir()
        paths = {name: target if as_file else target / name for name in files}
        secrets = {name for name in SETTINGS if SETTINGS[name].secret and config.origins(name)}
        private = {paths[TOML]} if secrets and TOML in paths else {paths[name] for name in secrets}
        contents = {paths[name]: content for name, content in files.items()}
        if not _write(contents, private, force=arguments.force):
            return 1
    for path in remaining:
        print(f"left as it is: {path}", file=sys.stderr)
    return 0


def _write(contents: dict[Path, str], private: set[Path], *, force: bool) -> bool:
    """Write files, *private* ones for our own eyes.

    Returns:
        False when one exists and may not be written over, or cannot be written.
    """
    for path in contents:
        if not force and (path.exists() or path.is_symlink()):
            print(f"error: {path} exists; --force writes over it", file=sys.stderr)
            return False
    for path, content in contents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600 if path in private else 0o666)
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            print(f"error: cannot write {path}: {error.strerror}", file=sys.stderr)
            return False
    return True


# ------------------------------------------------------------------------------------ init


def init(arguments: argparse.Namespace) -> int:
    """Write a configuration to start with; existing files are never written over."""
    from qpsmtpd.config import starter  # noqa: PLC0415 - only here

    directory = Path(arguments.directory).absolute()
    maildir = Path(arguments.maildir or directory / "Maildir").absolute()
    me = arguments.me or os.uname().nodename
    try:
        paths = starter.write(str(directory), me=me, maildir=str(maildir))
    except (ConfigError, OSError) as error:
        print(f"error: {complaint(error)}", file=sys.stderr)
        return 1
    for path in paths:
        print(f"wrote {path}")
    print(f"Mail for localhost and {me} goes to {maildir}.")
    if os.geteuid() == 0 and not maildir.exists():
        print(f"Make that for the user to serve as: install -d -o smtpd {maildir}")
    print(f"Start with: QPSMTPD_CONFIG={directory} qpsmtpd serve")
    return 0
