"""What docs/write/testing.md shows."""

import pytest

from qpsmtpd.plugin import DECLINED, DENY, LOGINFO, OK, Duration, Plugin
from qpsmtpd.testing import Dialog
from qpsmtpd.testing.memory import MemoryServer


class Greylisting(Plugin):
    eager = True

    class Args:
        delay: Duration = Duration("50m")  #: how long

    async def hook_rcpt(self, transaction, recipient, params):
        key = f"{transaction.connection.remote_ip} {transaction.sender} {recipient}"
        now = self.clock.now()
        if now - await self.store.setdefault(key, now) >= self.args.delay:
            return DECLINED
        return self.get_reject(transaction, "Greylisted, please try again later", soft=True)


# docs: begin whole
def test_a_retry_after_the_delay_is_let_through(smtpd):
    smtpd.load((Greylisting, "delay=60"), "rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])

    with smtpd.connect(remote_ip="192.0.2.1") as client:
        client.ehlo("mx.example.net")
        client.mail("sender@example.net")
        assert client.rcpt("user@example.org") == (450, "Greylisted, please try again later")

    smtpd.clock.advance(61)

    with smtpd.connect(remote_ip="192.0.2.1") as client:
        client.ehlo("mx.example.net")
        client.mail("sender@example.net")
        assert client.rcpt("user@example.org").code == 250
        assert smtpd.results("rcpt") == [("greylisting", DECLINED), ("rcpt_ok", OK)]


# docs: end whole


# docs: begin message
def test_what_reaches_the_queue(smtpd):
    smtpd.load("rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])
    with smtpd.connect() as client:
        client.ehlo()
        client.mail("sender@example.net", "SIZE=1000")
        client.rcpt("user@example.org")
        assert client.message("Subject: hello\n\nHow are you?\n") == (250, "Queued")

    [message] = smtpd.queued
    assert message.sender == "sender@example.net"
    assert message.recipients == ("user@example.org",)
    assert b"Subject: hello\n" in message.header
    assert message.body == b"How are you?\n"


# docs: end message


# docs: begin world
def test_the_world_around(smtpd):
    smtpd.dns.add("1.2.0.192.in-addr.arpa", "PTR", "mail.example.net")
    smtpd.dns.fail("example.com")
    smtpd.hook("mail", (DENY, "not today"))
    with smtpd.connect("192.0.2.1") as client:
        assert client.connection.remote_host == "mail.example.net"
        client.ehlo()
        assert client.mail("sender@example.com") == (550, "not today")
    assert smtpd.log.logged("dispatching MAIL FROM:<sender@example.com>")
    assert smtpd.log.logged(LOGINFO)


# docs: end world


# docs: begin hand
def test_a_handler_by_hand(smtpd):
    [plugin] = smtpd.load((Greylisting, "delay=60"))
    with smtpd.connect() as client:
        client.ehlo()
        client.mail("sender@example.net")
        answer = smtpd.wait(plugin.hook_rcpt(client.transaction, "user@example.org", {}))
    assert answer[0].temporary
    assert list(smtpd.stored("greylisting")) == ["192.0.2.1 <sender@example.net> user@example.org"]


# docs: end hand


DIALOG = """\
# Two NOOPs are fine, three are not.
plugin: noop_counter 3

S~ 220 mx\\.example\\.org .*
C: NOOP
S: 250 OK
C: NOOP
C: NOOP
S: 250 OK
S: 500 Stop wasting my time, too many consecutive NOOPs
closed
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "noop.smtp").write_text(DIALOG)
    return tmp_path


# docs: begin dialog
def test_dialogs(smtpd, folder):
    for path in folder.glob("*.smtp"):
        dialog = Dialog.open(path)
        dialog.run(MemoryServer(smtpd, dialog))


# docs: end dialog


def test_the_page_shows_that_dialog(request):
    page = request.config.rootpath / "docs" / "write" / "testing.md"
    shown = "".join(f"    {line}\n" if line else "\n" for line in DIALOG.splitlines())
    assert shown in page.read_text(encoding="utf-8")
