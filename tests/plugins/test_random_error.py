import random

import pytest

from qpsmtpd.constants import DECLINED, DENYSOFT, DENYSOFT_DISCONNECT

FAILURES = {(DENYSOFT, "random failure"), (DENYSOFT_DISCONNECT, "random failure")}


def answers(plugin, connection, times=1000):
    return [plugin.hook_connect(connection) for _ in range(times)]


def test_about_as_many_messages_fail_as_asked_for(load, connect):
    random.seed(4)
    plugin, connection = load("random_error 50"), connect()
    failed = sum(
        any(plugin.fail(connection) is not DECLINED for _ in range(6)) for _ in range(1000)
    )
    assert 440 < failed < 560


def test_both_ways_to_fail_occur(load, connect):
    random.seed(4)
    found = set(answers(load("random_error 90"), connect()))
    assert found == FAILURES | {DECLINED}


@pytest.mark.parametrize(("words", "outcome"), [("100", FAILURES), ("-1", {DECLINED})])
def test_all_or_nothing(load, connect, words, outcome):
    assert set(answers(load(f"random_error {words}"), connect())) == outcome


def test_a_note_counts_more_than_the_argument(load, connect):
    connection = connect()
    connection.notes["random_fail_%"] = -5
    assert set(answers(load("random_error 100"), connection)) == {DECLINED}


def test_each_hook_can_fail(load, connect, begin):
    plugin, connection, transaction = load("random_error 100"), connect(), begin()
    found = [
        plugin.hook_connect(connection),
        plugin.hook_helo(connection, "x"),
        plugin.hook_ehlo(connection, "x"),
        plugin.hook_mail(transaction, None, {}),
        plugin.hook_rcpt(transaction, None, {}),
        plugin.hook_data(transaction),
        plugin.hook_data_post(transaction),
    ]
    assert set(found) <= FAILURES
    names = {one.hook.name for one in plugin.handlers()}
    assert names == {"connect", "helo", "ehlo", "mail", "rcpt", "data", "data_post"}
