"""What docs/write/results.md shows."""

# docs: begin answers
from qpsmtpd.plugin import DECLINED, DENY, DENYSOFT, DONE, OK, Plugin, status


class Examples(Plugin):
    def hook_helo(self, connection, host):
        if host == "localhost":
            return DENY, "You are not me"
        return DECLINED

    def hook_rcpt(self, transaction, recipient, params):
        if recipient.user == "full":
            return status.mbox_full()
        if recipient.user == "gone":
            return DENY, "5.1.6 This mailbox has moved"
        if recipient.user == "busy":
            return DENYSOFT, "Too much at once\nPlease try again in an hour"
        return OK

    def hook_unrecognized_command(self, connection, verb, argument):
        if verb != "ping":
            return DECLINED
        connection.respond(250, f"pong {argument}")
        return DONE


# docs: end answers


# docs: begin judge
class NoDigits(Plugin):
    class Args:
        most: int = 4  #: digits that a sender's local part may have

    def hook_mail(self, transaction, sender, params):
        if self.is_immune(transaction):
            return DECLINED
        digits = sum(letter.isdigit() for letter in sender.user)
        if digits <= self.args.most:
            return DECLINED
        return self.get_reject(transaction, "Too many digits", f"{digits} of them")


# docs: end judge


# docs: begin header
class Labels(Plugin):
    def hook_data_post(self, transaction):
        header = transaction.message.header
        if "Date" not in header:
            return DENY, "A message has a Date (RFC 5322)"
        if (header.get("Subject") or "").isupper():
            header.add("X-Loud", "yes")
        return DECLINED


# docs: end header


def test_what_the_client_hears(smtpd):
    smtpd.load(Examples)
    with smtpd.connect() as client:
        assert client.helo("localhost") == (550, "You are not me")
        assert client.ehlo() == 250
        client.mail("sender@example.net")
        assert client.rcpt("full@example.org").status == "4.2.2"
        assert client.rcpt("gone@example.org") == (550, "5.1.6", "This mailbox has moved")
        busy = client.rcpt("busy@example.org")
        assert busy.lines == ("Too much at once", "Please try again in an hour")
        assert busy == 450
        assert client.send("PING 7") == (250, "pong 7")
        assert client.send("PONG 7") == 500


def test_the_line_decides_how_a_plugin_refuses(smtpd):
    for words, code in (
        ("", 550),
        ("reject_type temp", 450),
        ("reject 0", 250),
        ("reject naughty", 250),
    ):
        smtpd.plugins.clear()
        smtpd.load((NoDigits, words))
        with smtpd.connect() as client:
            client.ehlo()
            assert client.mail("a12345@example.net") == code
            assert client.mail("a1234@example.net") == 250
    assert smtpd.clients[-1].connection.notes["naughty"] == "(no_digits) Too many digits"


def test_a_relay_client_is_left_alone(smtpd):
    smtpd.load(NoDigits, "relay")
    smtpd.config(relayclients=["192.0.2.1"])
    with smtpd.connect("192.0.2.1") as client:
        client.ehlo()
        assert client.mail("a12345@example.net") == 250


def test_the_header_is_looked_at_and_changed(smtpd):
    smtpd.load(Labels)
    smtpd.hook("rcpt", OK)
    with smtpd.connect() as client:
        assert client.deliver("user@example.org", text="Subject: x\n\n") == 552
        assert client.deliver("user@example.org", text="Date: now\nSubject: HELP\n\n") == 250
    assert b"\nX-Loud: yes\n" in smtpd.queued[0].header
