"""What holds for the blocking and the event-loop transport alike, against a real server."""

import socket
import time

import pytest

from qpsmtpd.services.dns import link, ports
from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.stub import Manners, StubServer

FOUND = ("192.0.2.4",)
NAME = "v4.example.org"


def query(name=NAME, rdtype="A", **options):
    return lambda dns: dns.query(name, rdtype, **options)


def transports(stub):
    return [asked.transport for asked in stub.asked]


def test_a_question_is_answered(ask, stub):
    assert ask(query("V4.Example.Org.")) == Answer(NAME, "A", Status.FOUND, FOUND, ttl=300)
    (asked,) = stub.asked
    assert (asked.name, asked.type, asked.transport, asked.edns) == (NAME, "A", "udp", True)


def test_an_answer_is_asked_for_once_and_ages(ask, stub, clock):
    async def twice(dns):
        first = await dns.query(NAME, "A")
        clock.advance(100)
        second = await dns.query("V4.example.ORG", "A")
        denied = await dns.query("nix.example.org", "A"), await dns.query("nix.example.org", "A")
        clock.advance(201)
        return first.ttl, second.ttl, denied[1].status, (await dns.query(NAME, "A")).ttl

    assert ask(twice) == (300, 200, Status.NXDOMAIN, 300)
    assert [asked.name for asked in stub.asked] == [NAME, "nix.example.org", NAME]


def test_names_the_dns_cannot_hold_are_not_sent(ask, stub):
    for name in ["a" * 64, "a..b", "a\nb", "x." * 128]:
        found = ask(query(name))
        assert (found.status, found.name) == (Status.NXDOMAIN, name)
        assert found.reason
    assert stub.asked == []


def test_unknown_types_are_a_mistake_of_the_caller(ask):
    with pytest.raises(ValueError, match="'ANY' is no record type"):
        ask(query(rdtype="ANY"))


def test_several_questions_are_asked_at_once_and_answered_in_order(ask, stub):
    stub.delay("example.org", 0.01)
    questions = [
        ("example.org", "TXT"),
        ("nix.example.org", "A"),
        ("bad..name", "A"),
        (NAME, "A"),
        ("example.org", "TXT"),
    ]
    found = ask(lambda dns: dns.query_all(questions))
    assert [answer.status.name for answer in found] == [
        "FOUND",
        "NXDOMAIN",
        "NXDOMAIN",
        "FOUND",
        "FOUND",
    ]
    assert found[0] == found[4]
    assert found[0].records == ("v=spf1 -all",)
    assert [asked.name for asked in stub.asked] == ["example.org", "nix.example.org", NAME]


def test_no_question_has_no_answer(ask):
    assert ask(lambda dns: dns.query_all([])) == []


def test_hundreds_of_questions_do_not_need_hundreds_of_sockets(ask, stub):
    names = [f"n{number}.example.org" for number in range(150)]
    stub.zone.add("n149.example.org", "A", "192.0.2.99")
    found = ask(lambda dns: dns.query_all([(name, "A") for name in names]))
    assert [answer.name for answer in found] == names
    assert {answer.status for answer in found[:-1]} == {Status.NXDOMAIN}
    assert found[-1].records == ("192.0.2.99",)
    assert len({asked.source for asked in stub.asked}) > 4


def test_helpers(ask):
    async def all_of_them(dns):
        return [
            (await dns.txt("example.org")).records,
            (await dns.mx("example.org")).records,
            (await dns.mx("null.example.org")).null_mx,
            (await dns.mx("example.org")).null_mx,
            (await dns.ptr("192.0.2.1")).records,
            (await dns.ptr("2001:db8::1")).status,
            (await dns.ptr("no address")).status,
            (await dns.addresses("example.org")).records,
            len((await dns.mx("many.example.org")).records),
        ]

    assert ask(all_of_them) == [
        ("v=spf1 -all",),
        ((10, "a.example.org"), (10, "z.example.org"), (20, "b.example.org")),
        True,
        False,
        ("example.org",),
        Status.NXDOMAIN,
        Status.NXDOMAIN,
        ("192.0.2.1", "192.0.2.2", "2001:db8::1"),
        100,
    ]


def test_addresses_of_one_kind_are_enough(ask):
    found = ask(lambda dns: dns.addresses(NAME))
    assert found == Answer(NAME, "ADDRESS", Status.FOUND, FOUND, ttl=300)


@pytest.mark.parametrize(
    ("name", "manners", "status"),
    [
        ("nix.example.org", None, Status.NXDOMAIN),
        ("org", None, Status.NODATA),
        ("org", Manners.SERVFAIL, Status.SERVFAIL),
        ("org", Manners.SILENT, Status.TIMEOUT),
    ],
)
def test_without_addresses_the_status_is_that_of_both(ask, stub, name, manners, status):
    if manners:
        stub.misbehave(name, manners)
    assert ask(lambda dns: dns.addresses(name, timeout=0.05)).status is status


def test_silence_is_a_timeout_at_the_deadline_of_the_call(ask, stub):
    stub.misbehave("silent.example.org", Manners.SILENT)
    questions = [("silent.example.org", "A"), (NAME, "A"), ("silent.example.org", "MX")]
    started = time.monotonic()
    found = ask(lambda dns: dns.query_all(questions, timeout=0.1))
    assert 0.1 <= time.monotonic() - started < 2
    assert [answer.status for answer in found] == [Status.TIMEOUT, Status.FOUND, Status.TIMEOUT]


def test_a_lost_datagram_costs_one_interval(ask, stub):
    stub.misbehave(NAME, Manners.SILENT, times=2)
    assert ask(query(), retry=0.02).records == FOUND
    assert len(stub.asked) == 3
    assert len({(asked.number, asked.source) for asked in stub.asked}) == 3


def test_a_slow_server_is_waited_for_beyond_the_interval(ask, stub):
    stub.delay(NAME, 0.15)
    assert ask(query(), retry=0.02).records == FOUND
    assert len(stub.asked) == 3  # no more than the rounds there are


@pytest.mark.parametrize("manners", [Manners.SERVFAIL, Manners.REFUSED, Manners.GARBAGE])
def test_a_server_that_fails_is_left_at_once_for_the_next(ask, stub, manners):
    with StubServer({NAME: {"A": ["192.0.2.5"]}}) as second:
        stub.misbehave(NAME, manners)
        found = ask(query(), nameservers=[stub.address, second.address])
        assert found.records == ("192.0.2.5",)
        assert (len(stub.asked), len(second.asked)) == (1, 1)


def test_a_silent_server_loses_its_place(ask, stub):
    with StubServer({NAME: {"A": ["192.0.2.5"], "MX": [(0, "")]}}) as second:
        stub.misbehave(NAME, Manners.SILENT)

        async def twice(dns):
            return [(await dns.query(NAME, rdtype)).status for rdtype in ("A", "MX")]

        found = ask(twice, nameservers=[stub.address, second.address], retry=0.1)
        assert found == [Status.FOUND] * 2
        assert {asked.type for asked in stub.asked} == {"A"}


@pytest.mark.parametrize("manners", [Manners.SERVFAIL, Manners.REFUSED, Manners.GARBAGE])
def test_when_all_servers_fail_so_does_the_question(ask, stub, manners):
    stub.misbehave(NAME, manners)
    found = ask(query())
    assert (found.status, found.temporary, bool(found)) == (Status.SERVFAIL, True, False)
    assert stub.address in found.reason


def test_a_server_that_does_not_listen_is_a_failure_at_once(ask):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    found = ask(query(), nameservers=[address])
    assert found.status is Status.SERVFAIL
    assert "refused" in found.reason


def test_what_a_forger_sends_is_passed_over(ask, stub):
    stub.misbehave(NAME, Manners.FORGED_FIRST)
    assert ask(query()).records == FOUND
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "manners", [Manners.WRONG_ID, Manners.WRONG_QUESTION, Manners.WRONG_SOURCE]
)
def test_a_forgery_alone_is_no_answer(ask, stub, manners):
    stub.misbehave(NAME, manners)
    assert ask(query(timeout=0.05)).status is Status.TIMEOUT


def test_a_server_without_edns_is_asked_without(ask, stub):
    stub.misbehave(NAME, Manners.NO_EDNS)
    assert ask(query()).records == FOUND
    assert [asked.edns for asked in stub.asked] == [True, False]


@pytest.mark.parametrize("name", [NAME, "huge.example.org"])
def test_a_cut_answer_is_fetched_over_tcp(ask, stub, name):
    if name == NAME:
        stub.misbehave(name, Manners.TRUNCATED)
    found = ask(query(name, "A" if name == NAME else "TXT"))
    assert found.records == (FOUND if name == NAME else ("x" * 60_000,))
    assert transports(stub) == ["udp", "tcp"]


def test_a_stream_that_ends_early_is_a_failure(ask, stub):
    stub.misbehave(NAME, Manners.TCP_HANG_UP)
    found = ask(query())
    assert found.status is Status.SERVFAIL
    assert "hung up" in found.reason


def test_a_silent_stream_is_a_timeout_and_keeps_nobody_else_waiting(ask, stub):
    stub.misbehave("stream.example.org", Manners.TCP_SILENT)
    questions = [("stream.example.org", "A"), (NAME, "A")]
    found = ask(lambda dns: dns.query_all(questions, timeout=0.1))
    assert [answer.status for answer in found] == [Status.TIMEOUT, Status.FOUND]


def test_a_server_with_udp_only_is_a_failure(ask, stub):
    stub.misbehave(NAME, Manners.TRUNCATED)
    stub.stop_listening()
    found = ask(query())
    assert found.status is Status.SERVFAIL


def test_circles_of_aliases_are_a_failure(ask, stub):
    stub.zone.add("a.example.org", "CNAME", "b.example.org")
    stub.zone.add("b.example.org", "CNAME", "a.example.org")
    found = ask(query("a.example.org"))
    assert (found.status, found.records) == (Status.SERVFAIL, ())


def test_the_servers_word_about_dnssec_is_passed_on(ask, stub):
    stub.authentic = True
    assert ask(query()).authentic is True


def test_no_descriptor_is_left_open(ask, stub, open_descriptors):
    stub.misbehave("silent.example.org", Manners.SILENT)
    stub.misbehave("stream.example.org", Manners.TCP_SILENT)
    questions = [("silent.example.org", "A"), ("stream.example.org", "A"), (NAME, "A")]
    before = open_descriptors()
    ask(lambda dns: dns.query_all(questions, timeout=0.05))
    deadline = time.monotonic() + 5
    while open_descriptors() != before:  # the server has yet to see that we hung up
        assert time.monotonic() < deadline, "a descriptor was left open"
        time.sleep(0.001)


def test_a_resolver_without_servers_or_with_wrong_ones_is_not_made(flavour):
    from qpsmtpd.errors import ConfigError  # noqa: PLC0415 - used here only
    from qpsmtpd.services import BlockingDns, LoopDns  # noqa: PLC0415 - as above

    kind = BlockingDns if flavour == "blocking" else LoopDns
    with pytest.raises(ConfigError, match="no name server"):
        kind(["ns.example.org"])
    with pytest.raises(ValueError, match="no name server"):
        kind([])
    assert kind() is not None  # the system's


@pytest.mark.parametrize("manners", [None, Manners.TRUNCATED])
def test_without_sockets_questions_fail(ask, stub, monkeypatch, manners):
    connect = link._connect

    def refuse(server, kind):
        if manners is None or kind == socket.SOCK_STREAM:
            raise OSError(24, "Too many open files")
        return connect(server, kind)

    monkeypatch.setattr(link, "_connect", refuse)
    if manners:
        stub.misbehave(NAME, manners)
    found = ask(query())
    assert found.status is Status.SERVFAIL
    assert "Too many open files" in found.reason


def test_a_message_that_cannot_be_sent_is_a_failure(ask, monkeypatch, open_descriptors):
    def refuse(self, message):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(link.DatagramLink, "send", refuse)
    before = open_descriptors()
    found = ask(query())
    assert found.status is Status.SERVFAIL
    assert "not permitted" in found.reason
    assert open_descriptors() == before


def test_a_flood_of_forgeries_ends_at_the_deadline(ask, stub, monkeypatch):
    stub.misbehave(NAME, Manners.SILENT)
    monkeypatch.setattr(link.DatagramLink, "messages", lambda self: [b"rubbish"] * 64)
    monkeypatch.setattr(link, "DatagramLink", Readable)
    monkeypatch.setattr(ports, "DatagramLink", Readable)
    started = time.monotonic()
    assert ask(query(timeout=0.05)).status is Status.TIMEOUT
    assert time.monotonic() - started < 2


class Readable(link.DatagramLink):
    """A link there is always something to read from: one end of a pair, never emptied."""

    __slots__ = ("_other",)

    def __init__(self, server):
        self._socket, self._other = socket.socketpair()
        self._other.send(b"x")
        self.writing = False

    def close(self):
        super().close()
        self._other.close()
