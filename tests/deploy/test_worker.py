import os
import signal
import socket
from pathlib import Path

from qpsmtpd.deploy.worker import refuse


def test_a_worker_that_is_killed_loses_no_queued_client(daemon):
    running = daemon().serving()
    worker = running.greeted().who()["pid"]
    os.kill(worker, signal.SIGSTOP)
    queued = [running.connect() for _ in range(40)]
    os.kill(worker, signal.SIGKILL)
    assert {client.line() for client in queued} == {"220 hello"}
    assert {client.ask("QUIT") for client in queued} == {"221 bye"}
    assert f"worker {worker} died (signal SIGKILL); another starts in 0 s" in running.log


def test_a_stuck_worker_is_killed_named_and_shown(daemon):
    running = daemon(worker_timeout=2.0).serving()
    client = running.greeted()
    worker = client.who()["pid"]
    client.socket.sendall(b"BLOCK\r\n")
    running.logged(f"worker {worker} is stuck: no sign of life for ")
    assert client.line() == ""
    assert running.greeted().who()["pid"] != worker
    assert "Fatal Python error: Aborted" in running.log
    assert "in do_block" in running.log


def test_without_descriptors_clients_are_answered_and_the_loop_rests(daemon, wait_for):
    prefix = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh")
    running = daemon(prefix=prefix, connections=0, connections_per_ip=0).serving()
    busy = "421 4.3.2 Too busy, please try again later"
    hoarder = running.greeted()
    for _ in range(80):
        running.connect()
    answers = [client.line() for client in running.clients[1:]]
    served = answers.count("220 hello")
    assert 45 < served < 75  # a quarter of what was free is left for their files
    assert answers == ["220 hello"] * served + [busy] * (80 - served)
    assert "cannot accept" not in running.log
    for client in running.clients[1:60]:
        client.close()
    wait_for(lambda: hoarder.who()["connections"] < 20, "their end")
    assert int(hoarder.ask("HOARD")[4:]) > 10
    cpu = float(hoarder.ask("CPU")[4:])
    refused = [running.connect() for _ in range(45)]  # more than two batches
    assert {client.line() for client in refused} == {busy}
    assert float(hoarder.ask("CPU")[4:]) - cpu < 0.3  # it took more than a second
    assert running.log.count("cannot accept connections: Too many open files") == 1
    assert hoarder.ask("SHARE") == "250 ok"
    for client in running.clients[1:]:
        client.close()
    wait_for(lambda: running.connect().line() == "220 hello", "service as before")


def test_what_fails_for_one_client_is_a_421(daemon):
    running = daemon({"fail": "protocol"}).serving()
    for _ in range(2):
        client = running.connect()
        assert client.line() == "421 4.3.2 Too busy, please try again later"
        assert client.line() == ""
    assert "no session today" in running.log


def test_a_periodic_task_that_fails_does_not_end_the_worker(daemon):
    running = daemon({"fail": "tick"}, worker_timeout=3.0).serving()
    running.logged("a periodic task failed: RuntimeError('tick tock')", 2)
    running.greeted()


def test_pre_connection_refuses_with_the_plugins_text(daemon):
    running = daemon({"deny": True}).serving()
    client = running.connect()
    assert client.line() == "550 not you, 127.0.0.1"
    assert client.line() == ""
    assert "hosts_allow refused 127.0.0.1: 550" in running.log


def test_clients_who_hang_up_at_once_cost_nothing(daemon):
    running = daemon(connections=5, connections_per_ip=5).serving()
    for _ in range(200):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST
            client.connect(running.addresses[0])
    client = running.connect()
    while not client.line().startswith("220"):  # the last of them may not be accounted for yet
        client = running.connect()
    assert client.who()["connections"] < 5


def test_ipv4_ipv6_and_unix_sockets(daemon, tmp_path, wait_for):
    path = f"{tmp_path}/smtp"
    listen = ["127.0.0.1:0 name=four", "[::1]:0 tls", f"unix:{path} mode=0600"]
    running = daemon(listen=listen).serving()
    four, six = running.addresses
    assert (four[0], six[0]) == ("127.0.0.1", "::1")
    known = running.greeted(four).who()
    assert (known["remote"][0], known["local"], known["listener"]) == (four[0], [*four], "four")
    assert known["nodelay"]
    assert known["listeners"][1]["options"] == {"tls": ""}
    known = running.greeted(six).who()
    assert (known["remote"][0], known["local"]) == (six[0], [*six])
    assert known["nodelay"]
    assert Path(path).stat().st_mode & 0o777 == 0o600
    client = running.connect(path)
    assert client.line() == "220 hello"
    running.signal(signal.SIGTERM)
    wait_for(lambda: not Path(path).exists(), "the socket's end")


def test_systemd_passes_a_socket(daemon, tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = "
            "str(os.getpid()); os.execv(sys.argv[2], sys.argv[2:])"
        )
        # the descriptor has to survive Popen: it is found again through /proc
        environ = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
        running = daemon(
            listen=[],
            environ=environ,
            prefix=(os.path.realpath("/proc/self/exe"), "-c", start, str(listening.fileno())),
            pass_fds=(listening.fileno(),),
        ).serving()
        known = running.greeted(listening.getsockname()).who()
    assert known["listener"] == "smtp"


def test_a_refusal_of_several_lines_is_one_reply():
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"EHLO early\r\n")
        refuse(ours, 550, "go\naway\u00e9")
        assert theirs.recv(100) == b"550-go\r\n550 away?\r\n"
        assert theirs.recv(100) == b""
