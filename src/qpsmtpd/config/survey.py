"""All that is wrong with a configuration, in one go."""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH112, PTH113, PTH208

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from qpsmtpd.config.carriers import TOML
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.schema import SETTINGS, Setting, Type, nearest
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.config.lookup import Config

__all__ = ["survey"]

#: what editors, package managers and people leave beside control files
_LEFTOVERS: Final = (
    *("~", ".bak", ".orig", ".rej", ".sample", ".swp", ".tmp"),
    *(".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".ucf-dist"),
)


def survey(config: "Config") -> list[Problem]:
    """Read every setting, and look for files that nobody reads.

    Returns:
        Errors first, each group in the order of the settings table.
    """
    found = list(_directories(config))
    for setting in SETTINGS.values():
        found.extend(_setting(config, setting))
    found.extend(config.problems())
    found.extend(_strays(config))
    return sorted(dict.fromkeys(found), key=lambda problem: problem.warning)


def _directories(config: "Config") -> Iterator[Problem]:
    for directory in config.carriers.explicit:
        if not os.path.isdir(directory):
            text = "there is no such directory; correct QPSMTPD_CONFIG or the command line"
            yield Problem(text, directory)


def _setting(config: "Config", setting: Setting) -> Iterator[Problem]:
    """Look a setting up."""
    try:
        config.get(setting.name)
        origins = config.origins(setting.name)
    except ConfigError as error:
        yield Problem.of(error)
        return
    if len(origins) > 1 and not setting.type.several:
        _, (file, line) = origins[1]
        text = f"{setting.name} has one value; this line and those below it do not count"
        yield Problem(text, file, line or None, warning=True)


def _strays(config: "Config") -> Iterator[Problem]:
    """Find control files whose name is in no table and that nobody looked up.

    qmail's own directory is left alone: most of it is none of our business.
    """
    read = config.watched()
    for directory in config.carriers.directories:
        if directory == config.carriers.qmail:
            continue
        for name in _names(directory):
            path = f"{directory}/{name}"
            if path not in read and os.path.isfile(path):
                text = f"no setting has this name{nearest(name, SETTINGS)}; nobody reads the file"
                yield Problem(text, path, warning=True)


def _names(directory: str) -> list[str]:
    """List files that seem to be meant as control files."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:  # what it would have held was reported where it was looked up
        return []
    return [
        name
        for name in names
        if not name.startswith((".", "README", "#"))
        and not name.endswith(_LEFTOVERS)
        and name != TOML
        and name not in SETTINGS
        and not _is_map(name)
    ]


def _is_map(name: str) -> bool:
    """True for the database of a setting that can be one."""
    setting = SETTINGS.get(name.removesuffix(".cdb"))
    return setting is not None and setting.type is Type.MAP
