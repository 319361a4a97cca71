"""help - answer HELP from files

DESCRIPTION

The texts are files with the lines to send. They come from a directory, `help_dir <directory>`,
in which each file is named like its command in lower case, or one by one as pairs of command and
file; a file without a slash is looked for in `./help/`. Without arguments the directory is
`./help/`.

    help help_dir /etc/qpsmtpd/help
    help mail /etc/qpsmtpd/mail.txt rcpt /etc/qpsmtpd/rcpt.txt

`not_implemented 1` answers that there is no help.

Files are read when the plugin is loaded, at most 16 KiB of each.

RESULTS

help: OK with the lines of the file, `Try 'HELP COMMAND' for getting help on COMMAND` when no
command is named, or `No help available for SMTP command: <command>`; DONE after
`502 Not implemented.` or `502 Invalid command name`.
"""

# Pathlib would be imported at start for one listing.
# ruff: noqa: PTH113, PTH118, PTH123, PTH208

import os
import re

from qpsmtpd.plugin import DONE, LOGWARN, OK, Answer, ConfigError, Connection, Plugin

_COMMAND = re.compile(r"\w+", re.ASCII)
_MOST = 16 * 1024


class Help(Plugin):
    """Answers HELP."""

    args: "Help.Args"

    class Args:
        positional = ("files",)
        not_implemented: bool = False  #: answer 502 whatever is asked
        help_dir: str = ""  #: directory of files named like commands
        files: list[str] = []  # noqa: RUF012 - a default, never changed
        #: pairs of command and file

        def check(self) -> None:
            """Find the pairs."""
            if len(self.files) % 2:
                raise ValueError("help takes pairs of command and file")
            for command in self.files[::2]:
                if not _COMMAND.fullmatch(command):
                    raise ValueError(f"{command!r} is no command")

    def register(self) -> None:
        """Read the files.

        Raises:
            ConfigError: a file that the line names cannot be read.
        """
        self.texts: dict[str, tuple[str, ...]] = {}
        directory = self.args.help_dir
        if directory or not self.args.files:
            self.read_directory(directory or "./help/")
        words = iter(self.args.files)
        for command, file in zip(words, words, strict=True):
            path = file if "/" in file else f"./help/{file}"
            try:
                self.texts[command.lower()] = _lines(path)
            except OSError as error:
                raise ConfigError(f"help: text for {command}: {error}") from error

    def read_directory(self, directory: str) -> None:
        """Read every file of *directory* that is named like a command."""
        try:
            names = os.listdir(directory)
        except FileNotFoundError as error:
            if self.args.help_dir:
                raise ConfigError(f"help: {error}") from error
            return
        for name in names:
            path = os.path.join(directory, name)
            if not _COMMAND.fullmatch(name) or not os.path.isfile(path):
                continue
            try:
                self.texts[name.lower()] = _lines(path)
            except OSError as error:
                self.log(LOGWARN, f"error, {error}")

    def hook_help(self, connection: Connection, argument: str) -> Answer:
        """Find the text."""
        if self.args.not_implemented:
            connection.respond(502, "Not implemented.")
            return DONE
        words = argument.split()
        if not words:
            return OK, "Try 'HELP COMMAND' for getting help on COMMAND"
        command = words[0].lower()
        if not _COMMAND.fullmatch(command):
            connection.respond(502, "Invalid command name")
            return DONE
        lines = self.texts.get(command)
        if not lines:
            return OK, f"No help available for SMTP command: {command}"
        return OK, "\n".join(lines)


def _lines(path: str) -> tuple[str, ...]:
    """Read a text.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        text = file.read(_MOST).decode("ascii", "replace").replace("\ufffd", "?")
    return tuple(line.expandtabs().rstrip() for line in text.splitlines())
