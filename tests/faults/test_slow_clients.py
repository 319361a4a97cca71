"""F-5, F-15: clients that send next to nothing, or read nothing of what they are sent."""

import selectors
import time

import pytest
from tests.faults.daemon import PATIENCE, PROMPT, descriptors, memory, until

LIMIT = 2  #: seconds, of a command and of a message
LATE = 3  #: seconds beyond that, as the limits are looked at once a second and this machine works
MANY = 30
ENDLESS = 1 << 28  #: octets that no buffers of the system hold


def drip(clients):
    """Send an octet from each every 100 ms; return when each got its last reply, and which."""
    started, ends = time.monotonic(), {}
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        due = started
        while selector.get_map():
            now = time.monotonic()
            assert now - started < LIMIT + LATE, f"{len(selector.get_map())} are still served"
            if now >= due:
                due += 0.1
                for key in selector.get_map().values():
                    key.data.send(b"x")
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                selector.unregister(key.fileobj)
                ends[key.data] = (time.monotonic() - started, key.data.reply())
    return ends


def test_many_who_drip_are_cut_off_and_stop_nobody(daemon):
    running = daemon(timeoutsmtpd=LIMIT, timeout=LIMIT, connections_per_ip=0).serving()
    assert running.deliver() == 250
    worker = running.worker()
    before, size = descriptors(worker), memory(worker, "VmRSS")
    strangers = [running.connect() for _ in range(MANY)]
    for client in strangers:
        assert client.reply() == 220
    senders = [running.connect().greeted().open_message() for _ in range(MANY)]
    for client in senders[::2]:
        client.send(b"Subject: dripping\r\n\r\n")
    started = time.monotonic()
    assert running.deliver() == 250
    assert time.monotonic() - started < PROMPT
    ends = drip(strangers + senders)
    assert {code for _, code in ends.values()} == {421}
    assert all(seconds > LIMIT / 2 for seconds, _ in ends.values())
    assert all(client.reply() == 0 for client in ends)
    until(lambda: descriptors(worker) <= before, "the end of their sockets")
    assert memory(worker, "VmRSS") - size < 2 * MANY * 100_000
    assert running.deliver() == 250
    assert len(running.wait_for(3)) == 3  # and nothing of what dripped
    assert running.leftovers() == []


def test_a_message_that_comes_too_slowly_is_cut_off(daemon):
    """A client that always has something to send, but hardly anything, gains no time by it."""
    running = daemon(timeout=1, data_min_rate=1000).serving()
    client = running.connect().greeted().open_message()
    client.send(b"Subject: slow\r\n\r\n")
    ends = drip([client])
    assert [code for _, code in ends.values()] == [421]
    assert running.leftovers() == []


def stuff(clients, octets):
    """Send without reading, from all, until the system takes no more; return how much it took."""
    took, quiet_since = dict.fromkeys(clients, 0), time.monotonic()
    for client in clients:
        client.socket.settimeout(0)
    while time.monotonic() - quiet_since < 0.2:  # what the daemon still takes makes room
        for client in clients:
            try:
                while took[client] < ENDLESS:
                    took[client] += client.socket.send(octets)
                    quiet_since = time.monotonic()
            except (BlockingIOError, ConnectionError):
                continue
    return took


@pytest.mark.parametrize("command", [b"NOOP", b"EHLO client.example.net", b"VRFY postmaster"])
def test_clients_who_never_read_cost_little_and_are_cut_off(daemon, command):
    running = daemon(timeoutsmtpd=LIMIT, max_junk=0, max_errors=0).serving()
    assert running.deliver() == 250
    worker = running.worker()
    before, peak = descriptors(worker), memory(worker)
    clients = [running.connect(room=4096).greeted() for _ in range(3)]
    took = stuff(clients, (command + b"\r\n") * 1000)
    assert max(took.values()) < ENDLESS, "somebody is served who does not read"
    assert running.deliver() == 250
    until(lambda: descriptors(worker) <= before, "the end of their sockets")
    assert memory(worker) - peak < 3 * 1_000_000
    assert running.worker() == worker
    for client in clients:
        client.socket.settimeout(PATIENCE)
    assert not any(client.send(b"NOOP\r\n" * 100_000) for client in clients)
