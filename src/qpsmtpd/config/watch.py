"""Files that were read, and whether they are still the same."""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH116

import errno
import os
from typing import Final

__all__ = ["Stamp", "Watch", "stamp"]

#: change of content, size, inode, change of permissions; None: not there; a number: the errno
Stamp = tuple[int, int, int, int] | int | None

#: a name too long cannot be there; some names come from clients, as domains do
_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def stamp(path: str) -> Stamp:
    """Look at a file, directory or missing file without reading it."""
    try:
        found = os.stat(path)
    except OSError as error:
        return None if error.errno in _ABSENT else (error.errno or errno.EIO)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


class Watch:
    """What one value depends on."""

    __slots__ = ("stamps",)

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}

    def see(self, path: str) -> Stamp:
        """Look at a file before it is read, and remember how it was."""
        found = self.stamps[path] = stamp(path)
        return found

    def changed(self) -> bool:
        """True when a file changed, came or went since it was seen."""
        return any(stamp(path) != known for path, known in self.stamps.items())
