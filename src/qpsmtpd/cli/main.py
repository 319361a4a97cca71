"""The command ``qpsmtpd`` and its relatives."""

import sys
from collections.abc import Sequence

from qpsmtpd import __version__
from qpsmtpd.cli.parser import Parser, complaint
from qpsmtpd.errors import ConfigError

__all__ = ["main", "main_async"]


def _parser() -> Parser:
    from qpsmtpd.cli import check, configuration, plugins, run, try_plugin  # noqa: PLC0415

    parser = Parser(
        prog="qpsmtpd",
        description="The programmable front door for mail.",
        epilog="qpsmtpd COMMAND --help says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"qpsmtpd {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    run.add_parsers(subparsers)
    subparsers.add_parser("serve", help="run a daemon", add_help=False)
    configuration.add_parsers(subparsers)
    check.add_parsers(subparsers)
    plugins.add_parsers(subparsers)
    try_plugin.add_parsers(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``qpsmtpd``.

    Args:
        argv: what stands behind the program's name; None for this process's own.

    Returns:
        Exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["serve"]:
        from qpsmtpd.cli import serve  # noqa: PLC0415 - a daemon needs no other command

        return serve.main(words[1:])
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.command(arguments))
    except BrokenPipeError:  # somebody has seen enough: qpsmtpd plugins | head
        sys.stderr.close()
        return 1
    except (ConfigError, OSError) as error:
        print(f"qpsmtpd: {complaint(error)}", file=sys.stderr)
        return 1


def main_async() -> int:
    """Run ``qpsmtpd-async``, the original's name of the event-loop daemon."""
    from qpsmtpd.cli import serve  # noqa: PLC0415 - see above

    return serve.main(None, program="qpsmtpd-async")
