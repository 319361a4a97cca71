from qpsmtpd.constants import DECLINED, DENY_DISCONNECT


def test_the_command_that_reaches_the_limit_ends_the_connection(load, connect):
    plugin, connection = load("count_unrecognized_commands 2"), connect()
    answers = [plugin.hook_unrecognized_command(connection, "foo", "") for _ in range(3)]
    assert answers == [
        DECLINED,
        (
            DENY_DISCONNECT,
            "Closing connection, 2 unrecognized commands. Perhaps you should read RFC 2821?",
        ),
        (
            DENY_DISCONNECT,
            "Closing connection, 3 unrecognized commands. Perhaps you should read RFC 2821?",
        ),
    ]


def test_four_is_the_default_and_each_client_has_its_own_count(load, connect):
    plugin, one, other = load("count_unrecognized_commands"), connect(), connect()
    plugin.hook_unrecognized_command(other, "foo", "")
    answers = [plugin.hook_unrecognized_command(one, "foo", "") for _ in range(4)]
    assert answers[:3] == [DECLINED] * 3
    assert answers[3][0] is DENY_DISCONNECT
    assert other.notes["unrec_cmd_count"] == 1
