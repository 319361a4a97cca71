from math import inf

import pytest

from qpsmtpd.services.dns.contract import Answer, Status
from qpsmtpd.services.dns.exchange import ROUNDS, Attempt, Exchange, Servers
from qpsmtpd.services.dns.message import Question
from qpsmtpd.services.dns.reply import read, write
from qpsmtpd.services.dns.resolvconf import Nameserver
from qpsmtpd.services.dns.zone import Zone

ONE, TWO = Nameserver("192.0.2.1"), Nameserver("192.0.2.2")
ZONE = Zone({"example.org": {"A": ["192.0.2.80"]}})
QUESTION = Question("example.org", "A")


def exchange(*servers):
    return Exchange(QUESTION, Servers(servers or (ONE, TWO)), retry=2.0)


def reply(attempt, **options):
    return write(read(attempt.message, "udp", 0), ZONE, **options)


def test_there_must_be_a_server():
    with pytest.raises(ValueError, match="no name server"):
        Servers(())


def test_servers_are_asked_in_turn_each_time_with_another_id():
    tried = exchange()
    now, attempts = 0.0, []
    while tried.due < inf:
        assert tried.due in {-inf, now}
        attempts.append(tried.attempt(now))
        now += 2.0
    assert [attempt.server for attempt in attempts] == [ONE, TWO] * ROUNDS
    assert len({attempt.number for attempt in attempts}) > 1
    assert tried.attempt(now) is None
    assert tried.timeout() == Answer(
        *QUESTION, Status.TIMEOUT, reason="no name server answered in time"
    )


def test_a_late_answer_to_an_early_attempt_counts():
    tried = exchange()
    first = tried.attempt(0.0)
    tried.attempt(2.0)
    assert tried.receive(first, reply(first)).records == ("192.0.2.80",)


def test_a_server_that_was_silent_is_not_the_first_to_be_asked_again():
    servers = Servers((ONE, TWO))
    tried = Exchange(QUESTION, servers, retry=2.0)
    tried.attempt(0.0)
    assert servers.order == (ONE, TWO)
    tried.attempt(2.0)
    assert servers.order == (TWO, ONE)


def test_a_failure_leads_to_the_next_server_at_once():
    tried = exchange()
    first = tried.attempt(0.0)
    assert tried.due == 2.0
    assert tried.receive(first, reply(first, rcode=2)) is None
    assert tried.due == -inf
    second = tried.attempt(0.1)
    assert second.server == TWO
    failed = tried.fail(second, "no route")
    assert (failed.status, failed.reason) == (Status.SERVFAIL, "192.0.2.2:53: no route")


def test_a_server_that_failed_is_not_asked_again():
    tried = exchange()
    first = tried.attempt(0.0)
    tried.fail(first, "refused")
    assert {tried.attempt(float(n)).server for n in range(ROUNDS)} == {TWO}
    assert tried.due == inf


def test_a_cut_answer_is_asked_for_on_a_stream_of_the_same_server():
    tried = exchange()
    first = tried.attempt(0.0)
    again = tried.receive(first, reply(first, truncated=True))
    assert isinstance(again, Attempt)
    assert (again.server, again.stream) == (ONE, True)
    assert tried.receive(again, reply(again)).found


def test_a_stream_that_cuts_has_failed():
    tried = exchange(ONE)
    first = tried.attempt(0.0)
    again = tried.receive(first, reply(first, truncated=True))
    assert tried.receive(again, reply(again, truncated=True)).status is Status.SERVFAIL


def test_a_server_without_edns_is_asked_without_once():
    tried = exchange(ONE)
    first = tried.attempt(0.0)
    again = tried.receive(first, reply(first, rcode=1))
    assert read(again.message, "udp", 0).edns is False
    assert tried.receive(again, reply(again, rcode=1)).status is Status.SERVFAIL


def test_foreign_messages_change_nothing():
    tried = exchange(ONE)
    first = tried.attempt(0.0)
    assert tried.receive(first, b"rubbish") is None
    assert tried.due == 2.0
