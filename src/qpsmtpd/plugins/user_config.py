"""user_config - settings of single recipients, from files in their own directories

DESCRIPTION

Answers look-ups that are made for an address. The argument is the directory of a user's files,
in which `%u` stands for the local part, `%h` for the domain in lower case, and `%a` for the whole
address:

    user_config /home/%u/.qpsmtpd

A setting is then the file of its name in that directory. Its lines are handed over as they are:
comments are not taken out.

A local part or domain that holds a slash, or that would turn a part of the path into `.` or `..`,
has no files. Only plain files of up to 256 KiB are read, and never waited for.

RESULTS

user_config: `(OK, line, …)` when there is such a file, DECLINED otherwise.
"""

# Opened by os.open, for its flags.
# ruff: noqa: PTH118

import os
import re
import stat

from qpsmtpd.plugin import DECLINED, LOGWARN, OK, Address, ConfigError, Plugin, Result

_MOST = 256 * 1024


class UserConfig(Plugin):
    """Reads settings of a user's own."""

    args: "UserConfig.Args"

    class Args:
        positional = ("pattern",)
        pattern: str = "/home/%u/.qpsmtpd"  #: directory of a user's files: `%u`, `%h`, `%a`

    def register(self) -> None:
        """Check the pattern.

        Raises:
            ConfigError: it is the same directory for everybody.
        """
        if not re.search("%[uha]", self.args.pattern):
            raise ConfigError(
                f"user_config: {self.args.pattern!r} needs %u, %h or %a, as /home/%u/.qpsmtpd"
            )

    def hook_user_config(self, address: Address, name: str) -> Result | tuple[object, ...]:
        """Read one file."""
        directory = self.directory(address)
        if directory is None or not _harmless(name):
            return DECLINED
        path = os.path.join(directory, name)
        try:
            # a user's directory may hold a pipe or a device: never wait for one
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return DECLINED
        except OSError as error:
            self.log(LOGWARN, f"error, {error}")
            return DECLINED
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                self.log(LOGWARN, f"error, {path} is no plain file")
                return DECLINED
            content = os.read(descriptor, _MOST)
        finally:
            os.close(descriptor)
        return (OK, *content.decode("utf-8", "surrogateescape").splitlines())

    def directory(self, address: Address) -> str | None:
        """The directory of *address*; None when its name cannot be one."""
        host = address.host.lower()
        values = {"%u": address.user, "%h": host, "%a": f"{address.user}@{host}"}
        parts = []
        for part in self.args.pattern.split("/"):
            named = re.sub("%[uha]", lambda found: values[found[0]], part)
            if named != part and not _harmless(named):
                return None
            parts.append(named)
        return "/".join(parts)


def _harmless(name: str) -> bool:
    """True for the name of one entry of a directory."""
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name
