import time

import pytest

from qpsmtpd.constants import DECLINED

CONTENT = b"Subject: x\nX-Odd\nTo: y\n\nbody \xff\n"


@pytest.fixture
def target(config, tmp_path):
    config.set("content_log_file", str(tmp_path / "%Y%m%d%H%M"))
    return tmp_path


def test_messages_are_appended_as_they_are(load, begin, target, clock):
    plugin = load("content_log")
    transaction = begin("user@example.org", content=CONTENT)
    transaction.message.header.add("Received", "from here", first=True)
    assert plugin.hook_data_post(transaction) is DECLINED
    assert plugin.hook_data_post(begin("user@example.org", content=CONTENT)) is DECLINED
    [file] = target.iterdir()
    assert file.name == time.strftime("%Y%m%d%H%M", time.localtime(clock.now()))
    assert file.read_bytes() == b"Received: from here\n" + CONTENT + CONTENT
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_default_file(load, clock):
    day = time.strftime("%Y%m%d", time.localtime(clock.now()))
    assert load("content_log").path() == f"mail/{day}"


@pytest.mark.parametrize(
    ("text", "on"),
    [
        *((None, True), ("true", True), ("1", True), ("yes", True), ("Yes    ", True)),
        *(("0", False), ("false", False), ("no", False), ("asdf ", False)),
    ],
)
def test_the_switch(load, begin, config, target, text, on):
    if text is not None:
        config.set("content_log_enabled", text)
    load("content_log").hook_data_post(begin("user@example.org"))
    assert bool(list(target.iterdir())) is on


def test_a_file_that_cannot_be_written_costs_no_mail(load, begin, config, tmp_path, log):
    config.set("content_log_file", str(tmp_path / "missing" / "file"))
    assert load("content_log").hook_data_post(begin("user@example.org")) is DECLINED
    assert len(log.texts(3)) == 1


PICKY = """
from qpsmtpd.plugins.content_log import ContentLog

class Picky(ContentLog):
    def exclude(self, transaction):
        return transaction.sender.host == "example.net"
"""


def test_an_heir_may_leave_messages_out(load, begin, config, tmp_path):
    (tmp_path / "picky.py").write_text(PICKY)
    config.set("content_log_file", str(tmp_path / "log"))
    plugin = load("picky", search=[str(tmp_path)])
    plugin.hook_data_post(begin("user@example.org", sender="a@example.net"))
    assert not (tmp_path / "log").exists()
    plugin.hook_data_post(begin("user@example.org", sender="a@example.com"))
    assert (tmp_path / "log").exists()
