"""A stub server on loopback, and both transports that ask it."""

import dns.message  # noqa: F401 - loaded here, so that no test waits for it
import pytest

from qpsmtpd.services.clock import FakeClock
from qpsmtpd.services.dns.asyncio import LoopDns
from qpsmtpd.services.dns.blocking import BlockingDns
from qpsmtpd.services.dns.stub import StubServer

ZONE = {
    "example.org": {
        "A": ["192.0.2.1", "192.0.2.2"],
        "AAAA": ["2001:db8::1"],
        "MX": [(20, "b.example.org"), (10, "z.example.org"), (10, "a.example.org")],
        "TXT": ["v=spf1 -all"],
    },
    "v4.example.org": {"A": ["192.0.2.4"]},
    "null.example.org": {"MX": [(0, "")]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["example.org"]},
    "huge.example.org": {"TXT": ["x" * 60_000]},
    "many.example.org": {"MX": [(n, f"mx{n}.example.org") for n in range(100)]},
}


@pytest.fixture
def stub():
    with StubServer(ZONE) as server:
        yield server


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def ask(flavour, run, stub, clock):
    """Run a coroutine function with a resolver of the flavour, which is closed after it."""

    def run_with(use, **options):
        settings = {"timeout": 5.0, "retry": 5.0, "clock": clock, **options}
        servers = settings.pop("nameservers", [stub.address])
        if flavour == "blocking":
            return run(use(BlockingDns(servers, **settings)))

        async def main():
            dns = LoopDns(servers, **settings)
            try:
                return await use(dns)
            finally:
                dns.close()

        return run(main())

    return run_with
