"""What docs/write/waiting.md shows."""

import socket
import threading
from pathlib import Path

import pytest

# docs: begin kinds
from qpsmtpd.plugin import DECLINED, DENY, OK, Plugin, blocking


class Plain(Plugin):
    def hook_helo(self, connection, host):
        """Compute, and answer."""
        return (DENY, "A name has a dot") if "." not in host else DECLINED


class Policy(Plugin):
    class Args:
        port: int  #: of the policy server on this host

    @blocking
    def hook_rcpt(self, transaction, recipient, params):
        """Ask a server over a socket, and wait for what it says."""
        with socket.create_connection(("127.0.0.1", self.args.port), timeout=5) as server:
            server.sendall(f"{recipient.address}\n".encode())
            answer = server.recv(100)
        return OK if answer == b"yes\n" else DECLINED


class Listed(Plugin):
    eager = True

    async def hook_connect(self, connection):
        """Ask a service, and wait for it."""
        name = ".".join(reversed(connection.remote_ip.split(".")))
        answer = await self.dns.query(f"{name}.list.example.org", "A", timeout=3)
        return (DENY, "You are on a list") if answer.found else DECLINED


# docs: end kinds


# docs: begin wait
class Quota(Plugin):
    @blocking
    def hook_data_post(self, transaction):
        seconds = measure(transaction.message.path())
        used = self.wait(self.store.incr("seconds", seconds, ttl=3600))
        return DECLINED if used < 60 else (DENY, "You have used your hour")


# docs: end wait


def measure(path):
    return len(Path(path).read_bytes())


# docs: begin together
class Both(Plugin):
    async def hook_mail(self, transaction, sender, params):
        questions = [(sender.host, "MX"), (sender.host, "A")]
        exchangers, addresses = await self.dns.query_all(questions, timeout=5)
        if exchangers.temporary or addresses.temporary:
            return DECLINED
        return DECLINED if exchangers or addresses else (DENY, "Nobody could answer you")


# docs: end together


@pytest.fixture
def policy():
    """Run a policy server that takes one address; returns its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"yes\n" if b"good@" in client.recv(100) else b"no\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_the_three_kinds(smtpd, policy):
    smtpd.load(Plain, (Policy, f"port={policy}"), Listed)
    smtpd.dns.add("2.2.0.192.list.example.org", "A", "127.0.0.2")
    with smtpd.connect("192.0.2.1") as client:
        assert client.helo("pc") == (550, "A name has a dot")
        client.helo("pc.example.net")
        client.mail("sender@example.net")
        assert client.rcpt("good@example.org") == 250
        assert client.rcpt("bad@example.org") == 450
    with smtpd.connect("192.0.2.2") as client:
        assert client.greeting == (550, "You are on a list")


def test_offload_puts_plain_functions_on_threads(smtpd):
    smtpd.load((Plain, "offload=1"))
    assert [handler.kind.value for handler in smtpd.plugins[0].handlers()] == ["blocking"]
    with smtpd.connect() as client:
        assert client.helo("pc") == 550


def test_a_blocking_handler_uses_a_service(smtpd):
    smtpd.load(Quota)
    smtpd.hook("rcpt", OK)
    with smtpd.connect() as client:
        assert client.deliver("user@example.org", text="Subject: x\n\n" + 28 * "x") == 250
        assert client.deliver("user@example.org", text="Subject: x\n\n" + 28 * "x") == 552
    smtpd.clock.advance(3601)
    assert smtpd.stored("quota") == {}


def test_questions_at_once(smtpd):
    smtpd.load(Both)
    smtpd.dns.add("example.net", "MX", (10, "mx.example.net"))
    smtpd.dns.fail("example.com")
    with smtpd.connect() as client:
        client.ehlo()
        assert client.mail("a@example.net") == 250
        assert client.mail("a@example.com") == 250
        assert client.mail("a@example.edu") == 550
