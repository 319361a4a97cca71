"""Leave the terminal, once it is known that the daemon serves."""

import os
from collections.abc import Callable
from typing import Final

from qpsmtpd.deploy.exits import Exit

__all__ = ["detach", "silence"]

_READY: Final = b"+"


def silence() -> None:
    """Point standard input, output and error nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def detach(run: Callable[[Callable[[], None]], int]) -> int:
    """Run a daemon in a child that has no terminal.

    The caller comes back when the daemon serves or has failed, so that whoever started it sees
    which, and the reason on standard error.

    Args:
        run: serves; is given what to call when clients are served, returns an exit code.

    Returns:
        0 when the daemon serves, its exit code otherwise.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        ready = os.read(read, 1) == _READY
        os.close(read)
        return Exit.OK if ready else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code: int = Exit.FAILED
    try:
        os.close(read)
        os.setsid()

        def ready_now() -> None:
            silence()
            os.write(write, _READY)
            os.close(write)

        code = run(ready_now)
    finally:
        os._exit(code)
