"""Which configuration a command is about."""

import argparse
import os

from qpsmtpd.config import Config
from qpsmtpd.config.control import unreadable
from qpsmtpd.errors import ConfigError

__all__ = ["add_directory", "open_config"]


def add_directory(parser: argparse.ArgumentParser) -> None:
    """Add ``--config DIR``, by which every command names a configuration."""
    parser.add_argument(
        "--config",
        "--config-dir",
        dest="config_dir",
        action="append",
        metavar="DIR",
        help="directory of the configuration, in place of $QPSMTPD_CONFIG; repeatable",
    )


def open_config(arguments: argparse.Namespace) -> Config:
    """Open the configuration that a command line names.

    Raises:
        ConfigError: a directory that was asked for is not there, or is closed to us.
    """
    config = Config(arguments.config_dir)
    for directory in config.carriers.explicit:
        try:
            os.listdir(directory)  # noqa: PTH208 - pathlib costs time at every start
        except PermissionError as error:
            raise unreadable(directory, error) from None
        except OSError:
            raise ConfigError(
                "there is no such directory; correct --config or QPSMTPD_CONFIG, or make it with "
                f"qpsmtpd init {directory}",
                file=directory,
            ) from None
    return config
