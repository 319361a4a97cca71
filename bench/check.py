"""Does a server really take mail, and really throw it away?

A server that refused everything, or wrote everything to a disk, would make every ratio a lie.
"""

import os
import secrets
import smtplib
import time
from pathlib import Path

from bench.server import HOST, Failed

__all__ = ["kept", "takes_and_discards"]


def takes_and_discards(port: int, spool: Path, *, patience: float = 10.0) -> None:
    """Send one marked message, then look for it in everything below *spool*.

    Args:
        port: loopback port of the server.
        spool: where it writes.
        patience: seconds a message may take to leave the queue.

    Raises:
        Failed: the message was refused, or is still there.
    """
    mark = secrets.token_hex(16)
    text = f"Subject: {mark}\r\n\r\n{mark}\r\n.{mark}\r\n"
    try:
        with smtplib.SMTP(HOST, port, local_hostname="client.example", timeout=20) as client:
            refused = client.sendmail(
                "sender@client.example", ["one@bench.example", "two@bench.example"], text
            )
    except (OSError, smtplib.SMTPException) as error:
        raise Failed(f"does not take mail: {error}") from error
    if refused:
        raise Failed(f"refuses recipients: {refused}")
    limit = time.monotonic() + patience
    while found := kept(spool, mark):
        if time.monotonic() > limit:
            raise Failed(f"keeps mail: {found}")
        time.sleep(0.05)


def kept(spool: Path, mark: str) -> Path | None:
    """Return a file below *spool* that holds *mark*, if there is one."""
    octets = mark.encode("ascii")
    for directory, _, names in os.walk(spool):
        for name in names:
            path = Path(directory, name)
            try:
                if path.is_file() and octets in path.read_bytes():
                    return path
            except FileNotFoundError:  # left the queue just now
                continue
    return None
