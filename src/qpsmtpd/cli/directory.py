"""Which configuration a command is about."""

import argparse

from qpsmtpd.config import Config

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
    """Open the configuration that a command line names."""
    return Config(getattr(arguments, "config_dir", None))
