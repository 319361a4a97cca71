import os
import signal
import threading
from pathlib import Path

from qpsmtpd.deploy.pidfile import alive


def test_it_serves_and_ends_without_leaving_a_process(daemon):
    running = daemon(workers=2).serving()
    client = running.greeted()
    pids = running.pids()
    assert len(pids) == 3  # a generation, two workers
    assert client.ask("QUIT") == "221 bye"
    running.signal(signal.SIGTERM)
    assert running.ended() == 0
    assert not any(map(alive, pids))
    assert "engine stopped" in running.log


def test_hup_under_load_loses_no_connection(daemon, wait_for):
    running = daemon(workers=2, connections=0, connections_per_ip=0).serving()
    address = running.addresses[0]
    results, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            client = running.connect(address)
            results.append((client.line(), client.ask("QUIT")))
            client.close()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for generation, greeting in enumerate(("second", "third"), 2):
            running.behave(greeting=greeting)
            running.signal(signal.SIGHUP)
            running.serving(generation)
            wait_for(lambda greeting=greeting: results[-1][0] == f"220 {greeting}", greeting)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {goodbye for _, goodbye in results} == {"221 bye"}
    assert {greeting for greeting, _ in results} == {"220 hello", "220 second", "220 third"}


def test_hup_leaves_sessions_alone_and_the_old_generation_ends_with_the_last(daemon, wait_for):
    running = daemon().serving()
    old = running.greeted()
    before = old.who()
    running.signal(signal.SIGHUP)
    running.serving(2)
    running.greeted_by(2)
    assert old.who()["pid"] == before["pid"]
    assert old.ask("QUIT") == "221 bye"
    wait_for(lambda: before["pid"] not in running.pids(), "the old worker's end")


def test_hup_with_a_bad_configuration_changes_nothing_and_says_why(daemon, wait_for):
    running = daemon().serving()
    for fail, reason in (
        ("config", "plugins:3: no such plugin as fnord"),
        ("boot", "RuntimeError: fnord cannot be imported"),
        ("worker", "RuntimeError: no database"),
        ("exit", "exit code 9"),
    ):
        running.behave(fail=fail)
        running.signal(signal.SIGHUP)
        running.logged(f"reload failed, generation 1 serves on: {reason}")
        assert running.greeted().who()["generation"] == 1
    running.configure(boot_timeout=0.2)
    running.behave(fail="hang")
    running.signal(signal.SIGHUP)
    running.logged("reload failed, generation 1 serves on: plugins did not load within 0.2 s")
    running.configure(boot_timeout=60)
    running.behave(greeting="repaired")
    running.signal(signal.SIGHUP)
    running.serving(7)
    wait_for(lambda: running.connect().line() == "220 repaired", "the new generation")
    running.behave(fail="config")  # and now a crash: to try again and again would help nobody
    generation = running.greeted_by(7).generation
    for client in running.clients:
        client.close()
    os.kill(generation, signal.SIGKILL)
    assert running.ended() == 4
    assert running.log.count("cannot start") == 1


def test_hup_takes_new_options_if_they_can_be_used(daemon, wait_for):
    running = daemon(connections=0).serving()
    running.configure(user="nosuchuserhere")
    running.signal(signal.SIGHUP)
    running.logged("reload failed, nothing changes: unknown user nosuchuserhere")
    assert running.greeted().who()["generation"] == 1
    running.configure(user=running.user, workers=2, connections_per_ip=2)
    running.signal(signal.SIGHUP)
    running.logged("generation 2 serves with 2 workers")
    wait_for(lambda: running.connect().line().startswith("421 4.7.0 Too many"), "a limit")


def test_many_reloads_end_the_oldest_sessions_at_their_next_command(daemon):
    running = daemon().serving()
    oldest = running.greeted()
    for generation in range(2, 5):
        running.signal(signal.SIGHUP)
        running.serving(generation)
        running.greeted_by(generation)
    running.signal(signal.SIGHUP)
    assert oldest.line() == "421 shutting down"
    running.serving(5)


def test_term_lets_sessions_finish_and_takes_no_more(daemon, wait_for):
    running = daemon().serving()
    address = running.addresses[0]
    client = running.greeted()
    running.signal(signal.SIGTERM)

    def refused():
        try:
            running.connect(address).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for(refused, "the kernel's refusal")
    assert client.who()["generation"] == 1
    assert client.ask("QUIT") == "221 bye"
    assert running.ended() == 0


def test_term_tells_sessions_to_end_after_the_graceful_timeout(daemon):
    running = daemon(graceful_timeout=0.1).serving()
    client = running.greeted()
    running.signal(signal.SIGTERM)
    assert client.line() == "421 shutting down"
    assert running.ended() == 0


def test_int_ends_now(daemon):
    running = daemon(workers=2).serving()
    client = running.greeted()
    running.signal(signal.SIGINT)
    assert client.line() == "421 shutting down"
    assert running.ended() == 0


def test_ttin_and_ttou_change_the_number_of_workers_and_usr1_reaches_all(daemon, wait_for):
    running = daemon().serving()
    assert len(running.pids()) == 2
    running.signal(signal.SIGTTIN)
    wait_for(lambda: len(running.pids()) == 3, "a second worker")
    running.signal(signal.SIGUSR1)
    running.logged("logs reopened", 3)
    running.signal(signal.SIGTTOU)
    wait_for(lambda: len(running.pids()) == 2, "its end")
    running.signal(signal.SIGTTOU)  # one stays
    running.logged("1 workers", 2)
    running.greeted()


def test_a_generation_that_is_killed_is_replaced_and_its_sessions_go_on(daemon):
    running = daemon().serving()
    client = running.greeted()
    generation = running.pids()[0]
    os.kill(generation, signal.SIGKILL)
    running.logged("generation 1 died (signal SIGKILL)")
    running.serving(2)
    running.greeted_by(2)
    assert client.who()["generation"] == 1
    assert client.ask("QUIT") == "221 bye"


def test_an_arbiter_that_is_killed_leaves_nobody(daemon, wait_for):
    running = daemon(graceful_timeout=0.1).serving()
    client = running.greeted()
    pids = running.pids()
    running.signal(signal.SIGKILL)
    assert client.line() == "421 shutting down"
    wait_for(lambda: not any(map(alive, pids)), "their end")


def test_a_first_start_that_cannot_succeed_is_tried_once(daemon):
    for fail, code, reason in (
        ("config", 4, "cannot start: plugins:3: no such plugin as fnord"),
        ("worker", 3, "cannot start: RuntimeError: no database"),
    ):
        running = daemon({"fail": fail}, workers=2)
        assert running.ended() == code
        assert reason in running.log
        assert running.log.count("cannot start") == 1


def test_a_daemon_without_shared_memory_says_so_and_leaves_nothing(daemon, tmp_path):
    prefix = ("sh", "-c", 'ulimit -f 100; exec "$@"', "sh")  # sizes of memory count, too
    running = daemon(prefix=prefix, pid_file=str(tmp_path / "pid"))
    assert running.ended() == 4
    assert running.log.count("\n") == 1
    assert "cannot make the memory that workers share: File too large; raise the" in running.log
    assert not (tmp_path / "pid").exists()


def test_a_second_daemon_is_refused_while_the_first_lives(daemon, tmp_path):
    pid_file = tmp_path / "pid"
    first = daemon(pid_file=str(pid_file)).serving()
    assert pid_file.read_text() == f"{first.process.pid}\n"
    second = daemon(pid_file=str(pid_file))
    assert second.ended() == 4
    assert f"Found an already running qpsmtpd with pid {first.process.pid}." in second.log
    host, port = first.addresses[0]
    third = daemon(listen=[f"{host}:{port}"])
    assert third.ended() == 4
    assert third.log.count("\n") == 1
    assert f"cannot listen on {host}:{port}: another program listens there; stop it" in third.log
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    assert not pid_file.exists()


def test_detach_comes_back_when_clients_are_served(daemon, tmp_path, wait_for):
    pid_file = tmp_path / "pid"
    running = daemon(detach=True, pid_file=str(pid_file))
    assert running.ended() == 0
    pid = int(pid_file.read_text())
    try:
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/fd/2").readlink() == Path(os.devnull)
        assert running.greeted().who()["generation"] == 1
    finally:
        os.kill(pid, signal.SIGINT)
    wait_for(lambda: not pid_file.exists(), "the daemon's end")


def test_detach_reports_a_failed_start(daemon):
    running = daemon({"fail": "config"}, detach=True)
    assert running.ended() == 4
    assert "cannot start: plugins:3: no such plugin as fnord" in running.log


def test_systemd_is_told(daemon, tmp_path):
    import socket  # noqa: PLC0415 - only this test plays systemd

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        running = daemon(environ={"NOTIFY_SOCKET": str(tmp_path / "notify")}).serving()
        assert systemd.recv(1000).startswith(b"READY=1\nSTATUS=generation 1 serves")
        running.signal(signal.SIGHUP)
        assert systemd.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert systemd.recv(1000).startswith(b"READY=1\nSTATUS=generation 2 serves")
        running.signal(signal.SIGTERM)
        assert systemd.recv(1000) == b"STOPPING=1"
