"""``qpsmtpd check``: look for mistakes before the daemon does."""

import argparse
from typing import Any

from qpsmtpd.cli.configuration import check_settings, print_origins, report
from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.plugins import load_configured
from qpsmtpd.config import Config, Problem
from qpsmtpd.errors import ConfigError

__all__ = ["add_parsers", "check", "check_plugins"]


def add_parsers(subparsers: Any) -> None:
    """Add the command to a program."""
    parser = subparsers.add_parser(
        "check", help="look for mistakes in the configuration", description=check.__doc__
    )
    parser.add_argument("--strict", action="store_true", help="let warnings count as errors")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print where each value comes from"
    )
    add_directory(parser)
    parser.set_defaults(command=check)


def check(arguments: argparse.Namespace) -> int:
    """Look for mistakes in every setting, and load every plugin as the daemon would."""
    config = open_config(arguments)
    problems = [*check_settings(config), *check_plugins(config, strict=arguments.strict)]
    if arguments.verbose:
        print_origins(config)
    return report(problems, strict=arguments.strict)


def check_plugins(config: Config, *, strict: bool) -> list[Problem]:
    """Load the configured plugins; list what is wrong with their lines.

    Args:
        config: the configuration.
        strict: let unknown words on a plugin's line be errors.
    """
    found: list[ConfigError] = []
    try:
        plugins = load_configured(config, strict=strict, problems=found)
    except ConfigError as error:
        return [Problem.of(error)]
    problems = [Problem.of(error) for error in found]
    queues = [handler for plugin in plugins for handler in plugin.handlers()]
    if not any(handler.hook.name == "queue" for handler in queues):
        problems.append(
            Problem(
                "no queue plugin: every message will be answered 451; add one, such as "
                "queue/maildir PATH",
                config.source("plugins"),
                warning=True,
            )
        )
    return problems
