import pytest

from qpsmtpd.constants import DECLINED, DENY_DISCONNECT

ENOUGH = (DENY_DISCONNECT, "Stop wasting my time, too many consecutive NOOPs")


def test_the_noop_that_reaches_the_limit_ends_the_connection(load, connect):
    plugin, connection = load("noop_counter"), connect()
    assert [plugin.hook_noop(connection, "") for _ in range(3)] == [DECLINED, DECLINED, ENOUGH]


def test_the_limit_is_an_argument_and_each_client_has_its_own_count(load, connect):
    plugin, one, other = load("noop_counter 2"), connect(), connect()
    assert plugin.hook_noop(one, "") is DECLINED
    assert plugin.hook_noop(other, "") is DECLINED
    assert plugin.hook_noop(one, "") == ENOUGH


@pytest.mark.parametrize(
    "hook", ["helo", "ehlo", "mail", "rcpt", "data", "reset_transaction", "vrfy", "help"]
)
def test_another_command_starts_the_count_again(load, begin, hook):
    plugin, transaction = load("noop_counter 2"), begin()
    connection = transaction.connection
    [handler] = [one for one in plugin.handlers() if one.hook.name == hook]
    first = connection if handler.hook.arguments[0] == "connection" else transaction
    plugin.hook_noop(connection, "")
    assert handler.call(first, *handler.hook.arguments[1:]) is None
    assert plugin.hook_noop(connection, "") is DECLINED
    assert plugin.hook_noop(connection, "") == ENOUGH
