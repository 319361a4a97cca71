"""What docs/write/state.md shows."""

from pathlib import Path

import pytest

# docs: begin notes
from qpsmtpd.plugin import DECLINED, DENYSOFT, OK, ConfigError, Plugin


class Slowly(Plugin):
    def hook_rcpt(self, transaction, recipient, params):
        asked = transaction.connection.notes.get("slowly_asked", 0) + 1
        transaction.connection.notes["slowly_asked"] = asked
        return DECLINED if asked <= 2 else (DENYSOFT, "One at a time")


# docs: end notes


# docs: begin store
class FirstContact(Plugin):
    eager = True

    async def hook_rcpt(self, transaction, recipient, params):
        key = f"{transaction.sender} {recipient}"
        now = self.clock.now()
        first = await self.store.setdefault(key, now, ttl=86400)
        return DECLINED if now - first >= 300 else (DENYSOFT, "Please come back")

    async def hook_queue_post(self, transaction):
        await self.store.incr("messages")
        await self.store.update(f"from {transaction.sender}", counted, ttl=86400)


def counted(value):
    """Count a message of a sender; runs in the store, so it only computes."""
    value = value or {"messages": 0}
    return {"messages": value["messages"] + 1}


# docs: end store


# docs: begin register
class Colours(Plugin):
    class Args:
        file: Path  #: with a colour on each line

    def register(self):
        self.colours = frozenset(self.args.file.read_text("utf-8").split())
        if not self.colours:
            raise ConfigError(f"{self.args.file} is empty")
        self.register_hook("vrfy", self.is_colour)

    def is_colour(self, connection, argument):
        return (OK, f"{argument} is one") if argument in self.colours else DECLINED


# docs: end register


# docs: begin frozen
class Wrong(Plugin):
    def hook_noop(self, connection, argument):
        self.count = 1


# docs: end frozen


def test_notes_belong_to_a_client(smtpd):
    smtpd.load(Slowly, "rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])
    with smtpd.connect() as one, smtpd.connect() as other:
        for client in (one, other):
            client.ehlo()
            client.mail("sender@example.net")
        assert [one.rcpt("user@example.org").code for _ in range(3)] == [250, 250, 450]
        assert other.rcpt("user@example.org") == 250


def test_the_store_outlives_a_client(smtpd):
    smtpd.load(FirstContact, "rcpt_ok")
    smtpd.config(rcpthosts=["example.org"])
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == (450, "Please come back")
    smtpd.clock.advance(300)
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == 250
    stored = smtpd.stored("first_contact")
    assert stored["messages"] == 1
    assert stored["from <sender@example.net>"] == {"messages": 1}
    smtpd.clock.advance(86400)
    assert smtpd.stored("first_contact") == {"messages": 1}


def test_what_register_prepares(smtpd, tmp_path):
    file = tmp_path / "colours"
    file.write_text("blue\n")
    smtpd.load((Colours, f"file={file}"))
    with smtpd.connect() as client:
        assert client.vrfy("blue") == (250, "blue is one")
        assert client.vrfy("loud") == 252
    file.write_text("")
    with pytest.raises(ConfigError, match="is empty"):
        smtpd.load((Colours, f"file={file}"))


def test_a_plugin_is_frozen(smtpd):
    smtpd.load(Wrong)
    with smtpd.connect() as client:
        assert client.noop() == 250
    assert smtpd.log.logged("wrong.count cannot be set after register()")
