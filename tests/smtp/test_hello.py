import pytest
from tests.smtp.ways import ENVELOPE, HELLO, MAIL, State, every_way, lines

from qpsmtpd.constants import DECLINED, DENY, DONE, OK

LMTP = {"connection": {"protocol": "LMTP"}}


def test_helo_greets_in_one_line():
    outcome = every_way(b"helo foo bar baz\r\n", me="mx.example.org")
    assert outcome.replies[1:] == [
        "250 mx.example.org Hi Unknown [192.0.2.1]; I am so happy to meet you."
    ]
    connection = outcome.session.connection
    assert (connection.hello, connection.hello_host) == ("helo", "foo")


def test_ehlo_offers_extensions():
    outcome = every_way(HELLO, connection={"remote_info": "id@client.example.net"})
    first, *offered = outcome.replies[1].split("\n")
    assert first == "250-localhost Hi id@client.example.net [192.0.2.1]"
    assert offered[0] == "250-PIPELINING"
    assert outcome.session.connection.hello == "ehlo"
    assert outcome.state is State.READY


@pytest.mark.parametrize("verb", ["helo", "ehlo"])
def test_a_hello_without_host_is_refused(verb):
    for text in (verb, verb.upper() + "   "):
        outcome = every_way(lines(text))
        assert outcome.replies[1:] == [
            f"501 {verb} requires domain/address - see RFC-2821 4.1.1.1"
        ]
        assert outcome.state is State.HELLO


def test_lmtp_has_its_own_hello():
    outcome = every_way(lines("EHLO h", "HELO h", "LHLO", "LHLO h"), **LMTP)
    assert [reply[:19] for reply in outcome.replies[1:4]] == [
        "500 This is LMTP: s",
        "500 This is LMTP: s",
        "501 lhlo requires d",
    ]
    assert outcome.replies[4].startswith("250-localhost Hi")
    assert " LMTP " in outcome.replies[0]
    assert every_way(b"LHLO h\r\n").replies[1] == "500 This is not LMTP: say EHLO"


def test_a_second_hello_starts_over():
    outcome = every_way(ENVELOPE + b"EHLO again\r\nRCPT TO:<c@example.org>\r\n")
    assert outcome.codes == [220, 250, 250, 250, 250, 503]
    assert outcome.calls.count("reset_transaction") == 1
    assert outcome.session.connection.hello_host == "again"


def test_a_refused_second_hello_changes_nothing():
    def answer(connection, host):
        return DENY if host == "again" else DECLINED

    outcome = every_way(HELLO + MAIL + b"EHLO again\r\nRSET\r\n", {"ehlo": answer})
    assert outcome.codes == [220, 250, 250, 550, 250]
    assert outcome.session.connection.hello_host == "client.example.net"


def test_a_hello_answered_by_the_plugin_counts():
    def answer(connection, host):
        connection.respond(250, "hi")
        return DONE

    outcome = every_way(HELLO + MAIL, {"ehlo": answer})
    assert outcome.codes == [220, 250, 250]


def test_the_hosts_name_is_kept_printable_and_short():
    seen = []
    octets = b"HELO a\x07b\x1b[1m\xff\xe2\x80\xa8" + b"x" * 400 + b"\r\n"
    every_way(octets, {"helo": lambda connection, host: seen.append(host)})
    assert {host[:9] for host in seen} == {"a?b?[1m\ufffd?"}
    assert {len(host) for host in seen} == {255}


def test_a_plugins_parser_reads_the_hello():
    parser = {"helo_parse": (OK, lambda verb, text: (OK, f"{verb}-{text.upper()} rest"))}
    outcome = every_way(b"HELO a b\r\n", parser)
    assert outcome.session.connection.hello_host == "helo-A"
    nothing = every_way(b"HELO a b\r\n", {"helo_parse": (OK, lambda verb, text: (OK, ""))})
    assert nothing.codes == [220, 501]
    for answer in (DECLINED, OK, (OK, "no function")):
        assert (
            every_way(b"HELO a\r\n", {"helo_parse": answer}).session.connection.hello_host == "a"
        )


@pytest.mark.parametrize("value", [None, (), (OK,), 5])
def test_nonsense_from_a_plugins_parser_costs_that_parser_only(value):
    outcome = every_way(b"HELO a\r\n", {"helo_parse": (OK, lambda verb, text: value)})
    assert outcome.codes[0] == 220
    assert len(outcome.codes) == 2


def test_a_plugins_parser_that_raises_does_not_end_the_session():
    def parser(verb, text):
        raise KeyError(text)

    assert len(every_way(b"EHLO a\r\n", {"ehlo_parse": (OK, parser)}).codes) == 2


def test_capabilities_of_plugins_and_rights_are_offered():
    def connect(connection):
        connection.notes["capabilities"] = ["AUTH PLAIN", "BAD\r\nLINE"]

    outcome = every_way(
        HELLO,
        {"connect": connect},
        connection={"rights": frozenset({"xclient", "xforward"})},
    )
    assert outcome.replies[1].split("\n")[-4:] == [
        "250-AUTH PLAIN",
        "250-BAD??LINE",
        "250-XCLIENT",
        "250 XFORWARD",
    ]
