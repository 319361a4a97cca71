"""``qpsmtpd check``: look for mistakes before the daemon does."""

import argparse
from typing import Any

from qpsmtpd.cli.configuration import check_settings, print_origins, report
from qpsmtpd.cli.directory import add_directory, open_config
from qpsmtpd.cli.plugins import load_configured
from qpsmtpd.config import Config, Problem
from qpsmtpd.constants import LOGWARN
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
    found = [*check_settings(config), *check_plugins(config, strict=arguments.strict)]
    problems = sorted(dict.fromkeys(found), key=lambda problem: problem.warning)
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
    notes = _Notes()
    try:
        plugins = load_configured(config, strict=strict, problems=found, logger=notes)
    except ConfigError as error:
        return [Problem.of(error)]
    problems = [Problem.of(error) for error in found]
    told = {str(problem) for problem in problems}
    problems += [Problem(text, warning=True) for text in notes.texts if text not in told]
    if not any(handler.hook.name == "queue" for one in plugins for handler in one.handlers()):
        text = "no queue plugin: every message is answered 451; add one, as queue/maildir PATH"
        origins = config.origins("plugins")
        problems.append(Problem(text, origins[-1][1].file if origins else None, warning=True))
    return problems


class _Notes:
    """What plugins and the loader have to say about lines of the configuration."""

    threshold: int = LOGWARN

    def __init__(self) -> None:
        self.texts: list[str] = []

    def log(self, level: int, text: str, **about: object) -> None:
        """Keep it."""
        if level <= self.threshold and text not in self.texts:
            self.texts.append(text)
