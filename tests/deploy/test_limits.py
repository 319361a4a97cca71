import os

import pytest

from qpsmtpd.deploy.client import Client
from qpsmtpd.deploy.limits import Limits, network, plain_address
from qpsmtpd.deploy.scoreboard import Scoreboard


@pytest.fixture
def board():
    found = Scoreboard.create(8)
    yield found
    found.close()


class Listener:
    def __init__(self, *, proxy=False):
        self.proxy = proxy


def client(ip, *, proxy=False):
    return Client((ip, 1000), ("127.0.0.1", 25), Listener(proxy=proxy))


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "::ffff:c000:201"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_plain_addresses(shown, plain):
    assert plain_address(shown) == plain


def test_an_ipv6_client_is_a_network():
    assert network("2001:db8::1", 64) == network("2001:db8::ffff:1", 64)
    assert network("2001:db8::1", 64) != network("2001:db8:0:1::1", 64)
    assert network("2001:db8::1", 128) != network("2001:db8::2", 128)
    assert network("192.0.2.1", 64) != network("192.0.2.2", 64)


def test_all_workers_count_together(board):
    first = Limits(board.row(0), total=3, per_ip=0)
    second = Limits(board.row(5), total=3, per_ip=0)
    assert [first.enter(), second.enter(), first.enter()] == [None] * 3
    assert second.enter() == "4.3.2 Too many connections, please try again later"
    assert board.total("open") == 3
    first.leave()
    assert second.enter() is None


def test_one_address_over_all_workers(board):
    first = Limits(board.row(0), total=0, per_ip=2)
    second = Limits(board.row(1), total=0, per_ip=2)
    key, count, refused = first.enter_address("192.0.2.1")
    assert (count, refused) == (1, None)
    assert second.enter_address("192.0.2.1")[1:] == (2, None)
    _, count, refused = second.enter_address("192.0.2.1")
    assert count == 2
    assert refused.startswith("4.7.0 Too many connections from your address [192.0.2.1]")
    assert first.enter_address("192.0.2.2")[1:] == (1, None)
    first.leave_address(key)
    assert second.enter_address("192.0.2.1")[1:] == (2, None)


def test_a_client_is_counted_and_forgotten(board):
    row = board.row(0)
    limits = Limits(row, total=10, per_ip=2)
    known = [client("192.0.2.1"), client("::ffff:192.0.2.1")]
    assert [one.enter(limits, row) for one in known] == [None, None]
    assert (known[1].connections, known[1].connections_from_ip) == (1, 1)
    assert known[1].max_conn_ip == 2
    third = client("192.0.2.1")
    assert third.enter(limits, row).startswith("4.7.0")
    third.leave()  # was never counted
    known[0].leave()
    known[0].leave()
    assert board.total("open") == 1
    assert third.enter(limits, row) is None


def test_a_proxy_is_not_counted_but_its_clients_are(board):
    row = board.row(0)
    limits = Limits(row, total=10, per_ip=1)
    first, second = client("127.0.0.1", proxy=True), client("127.0.0.1", proxy=True)
    assert (first.enter(limits, row), second.enter(limits, row)) == (None, None)
    assert first.readdress("192.0.2.1", 99) is None
    assert (first.remote_ip, first.remote_port) == ("192.0.2.1", 99)
    assert second.readdress("192.0.2.1").startswith("4.7.0")
    assert second.readdress("192.0.2.2") is None
    first.leave()
    assert second.readdress("192.0.2.1") is None
    second.leave()
    assert limits._own == {}


def test_a_client_over_a_unix_socket_has_no_address_to_count(board):
    row = board.row(0)
    limits = Limits(row, total=0, per_ip=1)
    assert [client("").enter(limits, row) for _ in range(3)] == [None] * 3


def test_a_dead_worker_counts_no_more(board):
    limits = Limits(board.row(3), total=1, per_ip=1)
    limits.enter()
    limits.enter_address("192.0.2.1")
    board.set("pid", 3, 99)
    assert [row.pid for row in board.status()] == [99]
    board.clear(3)
    fresh = Limits(board.row(4), total=1, per_ip=1)
    assert fresh.enter() is None
    assert fresh.enter_address("192.0.2.1")[1:] == (1, None)
    assert board.status() == []


def test_messages_are_counted(board):
    row = board.row(1)
    one = client("192.0.2.1")
    one.message_taken()
    one.enter(Limits(row, total=0, per_ip=0), row)
    one.message_taken()
    assert board.total("messages") == 1


def test_addresses_are_told_apart(monkeypatch):
    """Among two thousand clients of another worker, few of ours seem to be there more than once.

    Where addresses meet depends on the board's random key; this one is an ordinary one.
    """
    monkeypatch.setattr(os, "urandom", bytes)
    board = Scoreboard.create(8)
    others = Limits(board.row(0), total=0, per_ip=0)
    for number in range(2000):
        others.enter_address(f"10.0.{number // 256}.{number % 256}")
    ours = Limits(board.row(1), total=0, per_ip=0)
    taken = [ours.enter_address(f"192.0.2.{number}")[1] for number in range(200)]
    board.close()
    # each has two of 8192 buckets; two thousand strangers leave both empty for 85 of a hundred
    assert 15 < sum(count > 1 for count in taken) < 45
    assert max(taken) <= 4


def test_limits_hold_when_several_processes_take_clients_at_once(board):
    """At no moment do four processes together hold more than they may."""
    total, per_ip, rounds = 3, 2, 400

    def work(row):
        limits = Limits(board.row(row), total, per_ip)
        worst = 0
        for number in range(rounds):
            ip = f"192.0.2.{number % 2}"
            if limits.enter() is None:
                key, _, refused = limits.enter_address(ip)
                if refused is None:
                    # a witness counts what was let in, in a column nothing else uses
                    board.set("accepted", row, 1)
                    worst = max(worst, board.total("accepted"))
                    os.sched_yield()
                    board.set("accepted", row, 0)
                    limits.leave_address(key)
                limits.leave()
        return worst

    read, write = os.pipe()
    pids = []
    for row in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                os.write(write, bytes([work(row)]))
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    worst = os.read(read, 100)
    os.close(read)
    os.close(write)
    assert len(worst) == 4
    assert 1 <= max(worst) <= total
    assert board.total("open") == 0


def test_a_daemon_keeps_its_limits_with_several_workers(daemon):
    running = daemon(workers=3, connections=8, connections_per_ip=5).serving()
    clients = [running.connect() for _ in range(20)]
    greetings = [client.line() for client in clients]
    served = [one for one, line in zip(clients, greetings, strict=True) if line == "220 hello"]
    assert 1 <= len(served) <= 5
    assert {line[:9] for line in greetings} == {"220 hello", "421 4.7.0"}
    for one in served:
        assert one.ask("QUIT") == "221 bye"
        assert one.line() == ""
    # each end is accounted for before the next client of the same worker, but workers differ
    while True:
        again = running.connect()
        if again.line() == "220 hello":
            break
    assert again.who()["max_conn_ip"] == 5
