import pytest

from qpsmtpd.constants import DENY, LOGERROR, LOGINFO, LOGWARN


@pytest.fixture
def err(capsys):
    def err():
        return capsys.readouterr().err.splitlines()

    return err


def test_accepted_mail_is_told_about_in_full(load, event, begin, err):
    plugin, transaction = load("logging/adaptive accept LOGINFO reject LOGERROR"), begin()
    plugin.hook_logging(event(LOGINFO, "detail", about_client=True))
    plugin.hook_logging(event(LOGERROR, "trouble", about_client=True))
    assert err() == ["77 trouble"]
    plugin.hook_reset_transaction(transaction)
    assert err() == ["`77 detail", "`77 trouble"]
    plugin.hook_reset_transaction(transaction)
    assert err() == []


def test_refused_mail_is_not_and_the_next_one_is(load, event, begin, err):
    plugin, transaction = load("logging/adaptive accept LOGINFO prefix !"), begin()
    plugin.hook_logging(event(LOGINFO, "first", about_client=True))
    plugin.hook_deny(transaction.connection, "rcpt_ok", DENY, "no")
    plugin.hook_reset_transaction(transaction)
    plugin.hook_logging(event(LOGINFO, "second", about_client=True))
    plugin.hook_reset_transaction(transaction)
    assert err() == ["!77 second"]


def test_the_defaults(load, event, begin, err):
    plugin, transaction = load("logging/adaptive"), begin()
    assert plugin.log_level_wanted == LOGWARN
    for level, text in ((LOGINFO, "info"), (LOGWARN, "warning"), (LOGERROR, "error")):
        plugin.hook_logging(event(level, text, about_client=True))
    assert err() == ["77 warning", "77 error"]
    plugin.hook_reset_transaction(transaction)
    assert err() == ["`77 error"]


def test_what_concerns_no_client_is_not_kept(load, event, err):
    plugin = load("logging/adaptive accept LOGINFO")
    plugin.hook_logging(event(LOGINFO, "process"))
    assert plugin.kept == {}
    assert err() == []


def test_what_is_kept_is_bounded_and_forgotten(load, event, connect, begin, err, monkeypatch):
    monkeypatch.setattr("qpsmtpd.plugins.logging.adaptive._CONNECTIONS", 2)
    plugin = load("logging/adaptive accept LOGINFO")
    for number in range(1000):
        plugin.hook_logging(event(LOGINFO, str(number), about_client=True))
    for name in ("c2", "c3"):
        made = event(LOGINFO, name)
        made.connection_id = name
        plugin.hook_logging(made)
    assert list(plugin.kept) == ["c2", "c3"]
    connection = connect()
    connection.id = "c2"
    plugin.hook_post_connection(connection)
    assert list(plugin.kept) == ["c3"]
    for number in range(1000):
        plugin.hook_logging(event(LOGINFO, str(number), about_client=True))
    plugin.hook_reset_transaction(begin())
    assert err() == [f"`77 {number}" for number in range(500, 1000)]
