"""One daemon at several addresses: IPv4, IPv6 and a Unix socket."""

import signal
import stat
from pathlib import Path

from tests.faults.daemon import MESSAGE


def test_mail_comes_in_at_every_address(daemon, place):
    path = place / "smtp"
    listen = ("127.0.0.1:0", "127.0.0.2:0", "[::1]:0", f"unix:{path} mode=0660")
    running = daemon(workers=2, listen=listen).serving()
    four, other, six = running.addresses
    assert [four[0], other[0], six[0]] == ["127.0.0.1", "127.0.0.2", "::1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    for address, shown in (
        (four, b"(127.0.0.1)"),
        (other, b"(127.0.0.1)"),
        (six, b"(::1)"),
        (str(path), b"with ESMTP"),
    ):
        assert running.deliver(address=address) == 250
        (stored,) = running.wait_for(1)
        assert stored.endswith(MESSAGE.replace(b"\r\n", b"\n"))
        received = stored.partition(b"Received: ")[2].partition(b"\nSubject")[0]
        assert shown in received, received
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    assert not Path(path).exists()
