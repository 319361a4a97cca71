import threading

import pytest

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin import (
    DECLINED,
    DENY,
    DENYSOFT,
    DONE,
    LOGERROR,
    LOGWARN,
    OK,
    Plugin,
)
from qpsmtpd.plugins import noop_counter
from qpsmtpd.testing import Smtpd


class Recorder(Plugin):
    """Does nothing, with an argument."""

    class Args:
        word: str = "nothing"

    def hook_connect(self, connection): ...


def test_plugins_come_as_lines_classes_modules_and_objects(smtpd, tmp_path):
    (tmp_path / "said.py").write_text("def hook_noop(plugin, connection, argument): ...\n")
    smtpd.plugin_dirs.append(str(tmp_path))
    [recorder] = smtpd.load((Recorder, "word=x"))
    found = smtpd.load("said", noop_counter, (noop_counter, "7"), recorder)
    assert [plugin.name for plugin in found] == [
        "said",
        "noop_counter",
        "noop_counter",
        "recorder",
    ]
    assert found[2].args.maximum == 7
    assert recorder.args.word == "x"
    assert smtpd.plugins == [recorder, *found]


def test_a_line_that_cannot_be_used_is_refused(smtpd):
    for source in ("nonsense", "noop_counter seven", "earlytalker wiat=3", (Recorder, "wrd=x")):
        with pytest.raises(ConfigError):
            smtpd.load(source)
    assert smtpd.plugins == []
    smtpd.load("earlytalker wiat=3", (Recorder, "wrd=x"), strict=False)
    assert "wiat" in smtpd.log.logged(LOGWARN, plugin="earlytalker")[0]


def test_hooks_of_a_test(smtpd):
    smtpd.load("rcpt_ok")
    asked = []
    removes = [
        smtpd.hook("noop", lambda connection, argument: asked.append(argument)),
        smtpd.hook("noop", (DENY, "enough"), first=False),
    ]
    with smtpd.connect() as client:
        assert client.send("NOOP 1") == (500, "enough")
    assert smtpd.results("noop") == [("test", DECLINED), ("test", DENY)]
    for remove in removes:
        remove()
    with smtpd.connect() as client:
        assert client.send("NOOP 2") == 250
    assert asked == ["1"]


def test_the_last_first_hook_is_first(smtpd):
    smtpd.hook("noop", (DENY, "one"))
    smtpd.hook("noop", (DENY, "two"))
    with smtpd.connect() as client:
        assert client.noop() == (500, "two")


def test_a_hook_that_does_not_fit_is_refused(smtpd):
    with pytest.raises(KeyError):
        smtpd.hook("nonsense", OK)
    with pytest.raises(TypeError, match="too many positional arguments"):
        smtpd.hook("noop", lambda connection: OK)


def test_a_queue_plugin_replaces_the_memory(smtpd):
    smtpd.hook("rcpt", OK)
    smtpd.load("queue/discard")
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == (250, "Queued!")
    assert smtpd.queued == []


def test_a_queue_of_the_test_goes_first(smtpd):
    smtpd.hook("rcpt", OK)
    smtpd.hook("queue", (DENYSOFT, "full"))
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == (452, "full")
    assert smtpd.queued == []


def test_all_handlers_can_be_rearranged(smtpd):
    smtpd.load("rcpt_ok")
    smtpd.arrange = lambda found: [one for one in found if one.plugin != "rcpt_ok"]
    with smtpd.connect() as client:
        assert client.deliver("user@mx.example.org") == 450


def test_settings(smtpd):
    smtpd.config(
        {"me-auth-results": "none"}, me="mail.example.com", databytes=100, reverse_lookup=False
    )
    smtpd.config(rcpthosts=["example.org", "example.net"], morercpthosts=["example.edu"])
    smtpd.load("rcpt_ok")
    with smtpd.connect() as client:
        assert "mail.example.com" in client.greeting
        assert client.connection.remote_host == ""
        client.ehlo()
        assert client.mail("a@example.com", "SIZE=101") == 552
        client.mail("a@example.com")
        for host in ("example.org", "example.net", "example.edu"):
            assert client.rcpt(f"user@{host}") == 250
    with pytest.raises(ConfigError):
        smtpd.config(databytes="many")


def test_control_files(smtpd):
    (smtpd.directory / "rcpthosts").write_text("example.org\n")
    smtpd.load("rcpt_ok")
    with smtpd.connect() as client:
        assert client.deliver("user@example.org") == 250


def test_plugins_may_answer_for_the_configuration(smtpd):
    class Answers(Plugin):
        def hook_config(self, name):
            return (OK, "example.edu") if name == "rcpthosts" else DECLINED

        def hook_user_config(self, address, name):
            return (OK, address.user) if name == "colour" else DECLINED

    smtpd.load(Answers, "rcpt_ok")
    smtpd.hook("mail", lambda transaction, sender, params: (DENY, colour(sender)))

    def colour(sender):
        return smtpd.settings.for_address(sender, "colour")[0]

    with smtpd.connect() as client:
        client.ehlo()
        assert client.mail("blue@example.net") == (550, "blue")
        assert smtpd.settings.lines("rcpthosts") == ["example.edu"]
        assert smtpd.settings.lines("relayclients") == []


def test_the_log(smtpd):
    class Writer(Plugin):
        def register(self):
            self.seen = []

        def hook_logging(self, event):
            self.seen.append(event.text)
            return OK

    [writer] = smtpd.load_logging(Writer)
    smtpd.load("noop_counter")
    with smtpd.connect() as client:
        client.noop()
        client.noop()
        client.noop()
    text = "fail, 3 consecutive NOOPs, disconnecting"
    assert smtpd.log.logged(text) == [text]
    assert smtpd.log.logged(text, plugin="noop_counter")
    assert not smtpd.log.logged(text, plugin="other")
    assert f"LOGINFO (noop) noop_counter: {text}" in smtpd.log.lines
    assert text in writer.seen
    assert smtpd.log.logged(LOGERROR) == []
    assert (
        repr(smtpd.log)
        == f"<CapturedLog {len(smtpd.log.events)} events, 0 of them LOGWARN or worse>"
    )
    smtpd.log.clear()
    assert smtpd.log.lines == []


def test_a_handler_that_takes_its_time_is_not_complained_about(smtpd):
    assert smtpd.chains.slow == float("inf")


@pytest.mark.parametrize("driver", ["blocking", "event loop"])
def test_a_server_without_pytest(driver):
    threads = threading.active_count()
    with Smtpd(driver) as smtpd:
        folder = smtpd.directory
        assert folder.is_dir()
        smtpd.hook("noop", DONE)
        client = smtpd.connect()
        assert client.raw(b"NOOP\r\n") == []
    assert client.closed
    assert not folder.exists()
    assert threading.active_count() == threads


def test_a_server_with_a_configuration_of_its_own(tmp_path):
    from qpsmtpd.config import Config  # noqa: PLC0415 - here only

    (tmp_path / "me").write_text("other.example.org\n")
    with Smtpd(config=Config([str(tmp_path)], {}, toml="")) as smtpd:
        assert "other.example.org" in smtpd.connect().greeting
        with pytest.raises(ValueError, match="somebody else's"):
            _ = smtpd.directory
