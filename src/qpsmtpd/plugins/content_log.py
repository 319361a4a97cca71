"""content_log - keep a copy of every message

DESCRIPTION

Appends each message, header and body as they will be queued, to a file. Meant for finding out
what goes wrong, not for archives: nothing marks where a message ends, and no message is refused
because it could not be written.

The file is opened for each message, so it may be moved away at any time. Its directory has to
exist. It is readable by the user of the server only.

A plugin of your own that inherits from this one may overrule `exclude`, to leave messages out.

CONTROL FILES

content_log_enabled: `1`, `true` or `yes`, and as if it were when there is no such file; anything
else turns the plugin off.
content_log_file: path of the file, in which strftime(3) fields are filled in; `mail/%Y%m%d` below
the working directory when there is no such file.

RESULTS

data_post: always DECLINED.
"""

# Opened by os.open, for its flags.
# ruff: noqa: PTH123

import fcntl
import os
import time

from qpsmtpd.plugin import DECLINED, LOGERROR, Plugin, Result, StorageError, Transaction, blocking

_ON = frozenset({"1", "true", "yes"})
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class ContentLog(Plugin):
    """Writes messages to a file."""

    @blocking
    def hook_data_post(self, transaction: Transaction) -> Result:
        """Append the message."""
        message = transaction.message
        if message is None or not self.enabled() or self.exclude(transaction):
            return DECLINED
        try:
            descriptor = os.open(self.path(), _FLAGS, 0o600)
            with open(descriptor, "wb") as file:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # messages of other processes stay apart
                file.writelines(message.blocks())
        except (OSError, StorageError) as error:
            self.log(LOGERROR, f"error, {error}", transaction)
        return DECLINED

    def enabled(self) -> bool:
        """True unless the control file says no."""
        text = self.config.text("content_log_enabled")
        return text is None or text.strip().lower() in _ON

    def path(self) -> str:
        """Where messages go now."""
        pattern = self.config.text("content_log_file") or "mail/%Y%m%d"
        return time.strftime(pattern, time.localtime(self.clock.now()))

    def exclude(self, transaction: Transaction) -> bool:
        """True for a message that is not to be written."""
        return False
