"""A Postfix of our own: no root queue, no system configuration, everything on loopback."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.daemon import PATIENCE, greets, workplace

MAIN = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log
maillog_file_prefixes = {place}
myhostname = relay.example.net
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_transport = error:no mailboxes here
local_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{next_hop}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_peername_lookup = no
"""

MASTER = """\
postlog   unix-dgram n - n - 1 postlogd
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
scache    unix  - - n - 1 scache
anvil     unix  - - n - 1 anvil
"""


def control(postfix: str, place: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run ``postfix <command>`` for our instance."""
    return subprocess.run(
        [postfix, "-c", str(place / "etc"), command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def relay(postfix: str, port: int, next_hop: int) -> Iterator[Path]:
    """Run a Postfix that takes mail on one port and hands it to another.

    Args:
        postfix: path of its control program.
        port: where it listens.
        next_hop: port it relays everything to.
    """
    with workplace() as place:
        (place / "etc").mkdir()
        (place / "queue").mkdir()
        (place / "data").mkdir()
        shutil.chown(place / "data", "postfix", "postfix")
        (place / "etc" / "main.cf").write_text(MAIN.format(place=place, next_hop=next_hop))
        (place / "etc" / "master.cf").write_text(MASTER.format(port=port))
        started = control(postfix, place, "start")
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            deadline = time.monotonic() + PATIENCE
            while not greets(port):
                assert time.monotonic() < deadline, (place / "log").read_text()
                time.sleep(0.02)
            yield place
        finally:
            master = place / "queue" / "pid" / "master.pid"
            pid = int(master.read_text()) if master.exists() else 0
            control(postfix, place, "stop")
            while pid and alive(pid):
                time.sleep(0.02)


def alive(pid: int) -> bool:
    """Tell whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
