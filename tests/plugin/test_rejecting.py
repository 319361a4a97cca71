import pytest

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
)
from qpsmtpd.plugin.base import Plugin, prepare
from qpsmtpd.plugin.rejecting import Rejecting, connection_of
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.transaction import Transaction


@pytest.fixture
def connection(logger):
    return Connection(logger=logger)


@pytest.fixture
def load(services):
    def load_line(line="", cls=Plugin):
        plugin = cls("filter", line.split(), services)
        prepare(plugin)
        return plugin

    return load_line


@pytest.mark.parametrize(
    ("line", "answer", "text"),
    [
        ("", (DENY, "no"), "fail, why"),
        ("reject 1", (DENY, "no"), "fail, why"),
        ("reject 12.5", (DENY, "no"), "fail, why"),
        ("reject 0", DECLINED, "fail, tolerated, why"),
        ("reject=", DECLINED, "fail, tolerated, why"),
        ("reject no", DECLINED, "fail, tolerated, why"),
        ("reject naughty", DECLINED, "fail, NAUGHTY, why"),
        ("reject_type temp", (DENYSOFT, "no"), "fail, why"),
        ("reject_type HARD", (DENY, "no"), "fail, why"),
        ("reject_type disconnect", (DENY_DISCONNECT, "no"), "fail, why"),
        ("reject_type temp_disconnect", (DENYSOFT_DISCONNECT, "no"), "fail, why"),
        ("reject_type nonsense", (DENY, "no"), "fail, why"),
    ],
)
def test_get_reject(load, connection, logger, line, answer, text):
    assert load(line).get_reject(connection, "no", "why") == answer
    assert logger.texts == [text]


def test_get_reject_without_texts(load, connection, logger):
    assert load().get_reject(connection) == (DENY, "unspecified error")
    assert logger.texts == ["fail"]


def test_a_soft_refusal_unless_the_line_says_otherwise(load, connection):
    assert load().get_reject(connection, "no", soft=True) == (DENYSOFT, "no")
    assert load("reject_type perm").get_reject(connection, "no", soft=True) == (DENY, "no")


@pytest.mark.parametrize(
    ("kind", "default", "word", "answer"),
    [
        (bool, False, "no", DECLINED),
        (bool, True, "", DENY),
        (int, 3, "", DENY),
        (float, 0.0, "", DECLINED),
    ],
)
def test_reject_may_have_another_type(load, connection, kind, default, word, answer):
    class Own(Plugin):
        Args = type("Args", (), {"__annotations__": {"reject": kind}, "reject": default})

    found = load(f"reject {word}" if word else "", Own).get_reject(connection, "no")
    assert (found[0] if isinstance(found, tuple) else found) is answer


def test_get_reject_type(load):
    assert load().get_reject_type() is DENY
    assert load().get_reject_type(DENYSOFT) is DENYSOFT
    assert load("reject_type soft").get_reject_type() is DENYSOFT
    assert load("reject_type soft").get_reject_type(DENY, "disconnect") is DENY_DISCONNECT


def test_deferred_refusals_are_collected(load, connection):
    first, second = load("reject naughty reject_type temp"), load("reject naughty")
    first.get_reject(Transaction(connection), "one")
    second.get_reject(connection, "two")
    assert connection.notes["naughty"] == "(filter) one\r\n(filter) two"
    assert connection.notes["naughty_reject_type"] == "temp"


@pytest.mark.parametrize(
    ("relay", "connection_notes", "transaction_notes", "text"),
    [
        (True, {}, {}, "skip, relay client"),
        (False, {"whitelisthost": "yes"}, {}, "skip, whitelisted host"),
        (False, {}, {"whitelistsender": 1}, "skip, whitelisted sender"),
        (False, {"whitelisthost": ""}, {"whitelistsender": 0}, None),
        (False, {"naughty": "yes"}, {}, None),
    ],
)
@pytest.mark.parametrize("by_connection", [True, False])
def test_is_immune(
    load, connection, logger, relay, connection_notes, transaction_notes, text, by_connection
):
    transaction = Transaction(connection)
    connection.transaction = transaction
    connection.relay_client = relay
    connection.notes.update(connection_notes)
    transaction.notes.update(transaction_notes)
    about = connection if by_connection else transaction
    assert load().is_immune(about) is (text is not None)
    assert logger.texts == ([text] if text else [])


def test_nobody_is_immune_before_mail(load, connection):
    assert load().is_immune(connection) is False


def test_is_naughty(load, connection):
    plugin = load()
    assert plugin.is_naughty(connection) is False
    assert plugin.is_naughty(connection, "bad") is True
    assert connection.notes == {"naughty": "bad", "rejected": "bad"}
    assert plugin.is_naughty(Transaction(connection)) is True
    assert plugin.is_naughty(connection, "") is False


def test_karma_adds_up(load, connection, logger):
    plugin = load()
    assert plugin.adjust_karma(connection, -2) == -2
    assert plugin.adjust_karma(Transaction(connection), 1) == 1
    assert connection.notes["karma"] == -1
    assert logger.texts == ["karma -2 (-2)", "karma 1 (-1)"]


def test_results_of_authentication_are_collected(load, connection):
    plugin = load()
    plugin.store_auth_results(connection, "spf=pass")
    plugin.store_auth_results(Transaction(connection), "dkim=fail")
    assert connection.notes["authentication_results"] == "spf=pass; dkim=fail"


def test_connection_of(connection):
    assert connection_of(connection) is connection
    assert connection_of(Transaction(connection)) is connection


def test_the_log_comes_from_the_plugin():
    with pytest.raises(NotImplementedError):
        Rejecting().log(6, "text")
