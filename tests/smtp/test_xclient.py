import pytest
from tests.smtp.ways import ACCEPTING, ENVELOPE, HELLO, MAIL, State, every_way, lines, make, talk

from qpsmtpd.constants import DENY, OK

RIGHTS = {"connection": {"rights": frozenset({"xclient", "xforward"})}}


def session_after(line, answers=ACCEPTING, **described):
    session = make(answers, connection={"rights": frozenset({"xclient", "xforward"}), **described})
    talk(session, HELLO, line)
    return session


def test_the_client_becomes_who_the_proxy_says():
    line = (
        "XCLIENT ADDR=198.51.100.7 PORT=2525 NAME=mx.example.net HELO=mx LOGIN=fred PROTO=ESMTP "
        "DESTADDR=203.0.113.9 DESTPORT=25 REVERSE_NAME=mx"
    )
    outcome = every_way(HELLO + lines(line, "MAIL FROM:<a@b.c>"), **RIGHTS)
    assert outcome.codes == [220, 250, 220, 503]
    connection = outcome.session.connection
    assert (connection.remote_ip, connection.remote_port) == ("198.51.100.7", 2525)
    assert (connection.local_ip, connection.local_port) == ("203.0.113.9", 25)
    assert connection.remote_host == connection.remote_info == "mx.example.net"
    assert (connection.hello, connection.hello_host) == ("", "mx")
    assert connection.auth_user == "fred"
    assert outcome.calls.count("connect") == 2
    assert outcome.state is State.HELLO


def test_what_was_known_of_the_proxy_is_forgotten():
    session = make(connection={"rights": frozenset({"xclient"})})
    talk(session, HELLO)
    connection = session.connection
    connection.notes["karma"] = 5
    connection.relay_client = True
    connection.authenticated, connection.auth_user = OK, "proxy"
    connection.auth_mechanism = "plain"
    connection.results.append(("p", "connect", OK))
    talk(session, b"XCLIENT ADDR=198.51.100.7\r\n")
    assert connection.notes == {}
    assert not connection.relay_client
    assert (connection.authenticated, connection.auth_user, connection.auth_mechanism) == (
        None,
        "",
        "",
    )
    assert connection.results == []


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("IPV6:2001:DB8::7", "2001:db8::7"),
        ("2001:db8:0::7", "2001:db8::7"),
        ("ipv6:::ffff:198.51.100.7", "198.51.100.7"),
        ("[UNAVAILABLE]", "192.0.2.1"),
        ("198.51.100.+37", "198.51.100.7"),
    ],
)
def test_addresses_are_spelled_one_way(text, ip):
    session = session_after(f"XCLIENT addr={text}\r\n".encode())
    assert session.connection.remote_ip == ip


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "ADDR",
        "ADDR=1.2.3",
        "ADDR=198.51.100.007",
        "ADDR=[198.51.100.7]",
        "FOO=1",
        "ADDR=198.51.100.7 FOO=1",
        "PORT=65536",
        "PORT=-1",
        "PORT=123456",
        "PORT=\u0661",
        "DESTPORT=x",
        "DESTADDR=x",
        "NAME=a+0D+0Ab",
        "NAME=a+00",
        "NAME=caf\u00e9",
    ],
)
def test_a_malformed_xclient_changes_nothing(argument):
    outcome = every_way(HELLO + f"XCLIENT {argument}\r\n".encode(), **RIGHTS)
    assert outcome.replies[-1] == "501 5.5.4 Syntax: NAME=value ..., values as xtext"
    assert outcome.session.connection.remote_ip == "192.0.2.1"
    assert outcome.state is State.READY


@pytest.mark.parametrize("line", ["XCLIENT ADDR=1.2.3.4", "XFORWARD ADDR=1.2.3.4"])
def test_without_the_right_it_is_no_command(line):
    outcome = every_way(HELLO + lines(line))
    assert outcome.replies[-1] == "500 5.5.1 Unrecognized command"
    assert outcome.session.connection.remote_ip == "192.0.2.1"
    during = every_way(ENVELOPE + lines(line), **RIGHTS)
    assert during.replies[-1] == "503 5.5.1 not during a mail transaction"


def test_the_new_client_may_be_refused():
    def connect(connection):
        return DENY if connection.remote_ip == "198.51.100.7" else None

    outcome = every_way(HELLO + b"XCLIENT ADDR=198.51.100.7\r\n", {"connect": connect}, **RIGHTS)
    assert outcome.codes == [220, 250, 550]
    assert outcome.state is State.CLOSED


def test_a_client_with_too_many_connections_is_refused():
    session = make(connection={"rights": frozenset({"xclient"})})
    session.connection.mover = lambda ip: False
    out = talk(session, HELLO + b"XCLIENT ADDR=198.51.100.7\r\n" + MAIL)
    assert out.endswith(b"\r\n421 4.7.0 Too many connections from your address, try later\r\n")
    assert session.state is State.CLOSED
    assert session.connection.remote_ip == "192.0.2.1"


def test_after_xclient_the_session_is_new():
    outcome = every_way(HELLO + b"XCLIENT ADDR=198.51.100.7\r\nEHLO again\r\n" + MAIL, **RIGHTS)
    assert outcome.codes == [220, 250, 220, 250, 250]
    # before its hello the new client knows of no enhanced status codes
    plain = every_way(HELLO + b"XCLIENT ADDR=198.51.100.7\r\nNOOP\r\n", **RIGHTS)
    assert plain.replies[-1] == "250 OK"


def test_xforward_is_noted():
    octets = HELLO + lines(
        "XFORWARD NAME=a.example ADDR=198.51.100.7 PORT=[UNAVAILABLE]", "XFORWARD HELO=h"
    )
    outcome = every_way(octets, **RIGHTS)
    assert outcome.codes == [220, 250, 250, 250]
    assert outcome.session.connection.notes["xforward"] == {
        "NAME": "a.example",
        "ADDR": "198.51.100.7",
        "PORT": "",
        "HELO": "h",
    }
    assert outcome.session.connection.remote_ip == "192.0.2.1"
    assert every_way(HELLO + b"XFORWARD LOGIN=x\r\n", **RIGHTS).codes[-1] == 501
