"""F-6: more connections than there may be, in all and of one address; each gets an answer."""

import socket

from tests.faults.daemon import descriptors, until


def test_too_many_in_all_and_of_one_address(daemon):
    running = daemon(connections=8, connections_per_ip=5, workers=2).serving()
    first = [running.connect(source="127.0.0.1") for _ in range(12)]
    codes = [client.reply() for client in first]
    assert set(codes) == {220, 421}
    assert 1 <= codes.count(220) <= 5  # of two that come at once, both may be turned away
    assert {client.text[:10] for client in first if client.text[:3] == b"421"} == {b"421 4.7.0 "}
    others = [running.connect(source=f"127.0.0.{number}") for number in range(2, 14)]
    codes += [client.reply() for client in others]
    assert 1 <= codes.count(220) <= 8
    assert {client.text[:10] for client in others if client.text[:3] == b"421"} == {b"421 4.3.2 "}
    for client, code in zip(running.clients, codes, strict=True):
        if code == 220:
            assert client.ask(b"QUIT") == 221
        assert client.reply() == 0
    until(lambda: running.connect().reply() == 220, "service as before")


def test_a_flood_of_connections_that_are_dropped_at_once(daemon):
    """Reset at once, or closed before the greeting, or in the middle of a command."""
    running = daemon().serving()
    assert running.deliver() == 250
    worker = running.worker()
    before = descriptors(worker)
    address = running.addresses[0]
    for number in range(3000):
        with socket.socket() as client:
            client.connect(address)
            if number % 3 == 2:
                client.sendall(b"EHL")
            if number % 3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: descriptors(worker) <= before, "the end of their sockets")
    assert running.deliver() == 250
    assert running.worker() == worker
    assert "Traceback" not in running.log
