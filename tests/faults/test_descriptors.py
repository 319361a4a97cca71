"""F-4: more clients, and more of their files, than the worker may have descriptors."""

import time

from tests.faults.daemon import descriptors, limited, processor_time, until

LIMIT = 64
LARGE = b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 1000


def test_more_clients_than_descriptors(daemon):
    prefix = limited("NOFILE", LIMIT)
    running = daemon(prefix=prefix, connections=0, connections_per_ip=0).serving()
    assert running.deliver() == 250
    worker = running.worker()
    before = descriptors(worker)
    clients = [running.connect() for _ in range(2 * LIMIT)]
    codes = [client.reply() for client in clients]
    served = [client for client, code in zip(clients, codes, strict=True) if code == 220]
    refused = [client for client in clients if client not in served]
    assert set(codes) == {220, 421}
    assert LIMIT // 4 < len(served) < LIMIT
    assert all(client.text.startswith(b"421 4.3.2 Too busy") for client in refused)
    assert all(client.reply() == 0 for client in refused)
    assert served[0].hello().deliver() == 250  # those who are served are served well
    for client in running.clients:
        client.close()
    until(lambda: descriptors(worker) <= before, "service as before")
    assert running.deliver() == 250
    assert running.worker() == worker
    assert len(running.wait_for(3)) == 3


def test_more_files_than_descriptors(daemon):
    """Every session has a message in the spool: some are told to come again, none is lost."""
    prefix = limited("NOFILE", LIMIT)
    running = daemon(prefix=prefix, connections=0, connections_per_ip=0).serving()
    assert running.deliver() == 250
    running.wait_for(1)
    worker = running.worker()
    before = descriptors(worker)
    clients = []
    while True:
        client = running.connect()
        if client.reply() != 220:
            break
        clients.append(client.hello().open_message())
    for client in clients:
        client.send(LARGE)
    until(lambda: descriptors(worker) >= LIMIT - 1, "the last descriptor")
    used, began = processor_time(worker), time.monotonic()
    late = [running.connect() for _ in range(20)]
    assert {client.reply() for client in late} == {421}
    time.sleep(max(0.0, began + 1 - time.monotonic()))  # a second is measured, not waited for
    assert processor_time(worker) - used < 0.5
    for client in clients:
        client.send(b".\r\n")
    codes = [client.reply() for client in clients]
    assert set(codes) <= {250, 451, 452}
    assert set(codes) >= {452}
    stored = running.wait_for(codes.count(250)) if 250 in codes else []
    assert all(one.endswith(LARGE.replace(b"\r\n", b"\n")) for one in stored)
    assert [client.ask(b"NOOP") for client in clients] == [250] * len(clients)
    assert clients[0].deliver(LARGE) == 250  # now that the others' files are gone
    for client in running.clients:
        client.close()
    until(lambda: descriptors(worker) <= before, "service as before")
    assert running.deliver(LARGE) == 250
    assert running.leftovers() == []
    assert running.worker() == worker
    assert "Too many open files" in running.log
