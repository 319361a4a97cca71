import pytest

from qpsmtpd.constants import DECLINED, DENY, OK


@pytest.fixture
def parse(load, connect):
    """Ask the plugin for its parser, as the session does, and call that."""
    plugin, connection = load("parse_addr_withhelo"), connect()
    connection.hello = "helo"

    def parse(command, line):
        hook = plugin.hook_mail_parse if command == "mail" else plugin.hook_rcpt_parse
        result, function = hook(connection, line)
        assert result is OK
        return function(command, line)

    return parse


@pytest.mark.parametrize(
    ("command", "line", "answer"),
    [
        ("mail", "FROM:<a@b.c>", (OK, "<a@b.c>")),
        ("mail", "from: <a@b.c> ", (OK, "<a@b.c>")),
        ("mail", "from:<>", (OK, "<>")),
        ("mail", "from:", (OK, "<>")),
        ("mail", "from:a@b.c", (OK, "a@b.c")),
        ("mail", "from:<a b@b.c>", (OK, "<a b@b.c>")),
        ("mail", "from:<a@b.c> SIZE=1", (DENY, "No parameters allowed in MAIL")),
        ("mail", "from:<a@b.c>SIZE=1", (DENY, "No parameters allowed in MAIL")),
        ("mail", "from:a@b.c SIZE=1", (DENY, "No parameters allowed in MAIL")),
        ("mail", "from:somebody", (DENY, "Could not parse your MAIL FROM command")),
        ("mail", "<a@b.c>", (DENY, "Syntax error in command")),
        ("mail", "to:<a@b.c>", (DENY, "Syntax error in command")),
        ("rcpt", "to:<a@b.c>", (OK, "<a@b.c>")),
        ("rcpt", "TO: a@b.c", (OK, "a@b.c")),
        ("rcpt", "to:<a@b.c> NOTIFY=NEVER", (DENY, "No parameters allowed in RCPT")),
        ("rcpt", "to:postmaster", (OK, "<postmaster>")),
        ("rcpt", "to:Abuse", (OK, "<Abuse>")),
        ("rcpt", "to:somebody", (DENY, "Could not parse your RCPT TO command")),
        ("rcpt", "to:", (DENY, "Could not parse your RCPT TO command")),
        ("rcpt", "from:<a@b.c>", (DENY, "Syntax error in command")),
    ],
)
def test_what_helo_clients_may_say(parse, command, line, answer):
    assert parse(command, line) == answer


@pytest.mark.parametrize("hello", ["ehlo", "lhlo", ""])
def test_other_clients_are_not_concerned(load, connect, hello):
    plugin, connection = load("parse_addr_withhelo"), connect()
    connection.hello = hello
    assert plugin.hook_mail_parse(connection, "from:<a@b.c> SIZE=1") is DECLINED
    assert plugin.hook_rcpt_parse(connection, "to:<a@b.c>") is DECLINED
