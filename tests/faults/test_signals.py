"""What an operator asks of a daemon that is at work."""

import signal
import time

import pytest
from tests.faults.daemon import PROMPT, until

LARGE = b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 1000


def refused(running, address):
    """Tell whether the kernel refuses connections."""
    try:
        running.connect(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_term_finishes_the_message_in_hand_and_takes_no_client(daemon):
    running = daemon(workers=2).serving()
    address = running.addresses[0]
    sender = running.connect().greeted().open_message()
    sender.send(LARGE)
    idle = running.connect().greeted()
    running.signal(signal.SIGTERM)
    until(lambda: refused(running, address), "the end of the listener")
    sender.send(LARGE + b".\r\n")
    assert sender.reply() == 250
    (stored,) = running.wait_for(1)
    assert stored.endswith((LARGE + LARGE).replace(b"\r\n", b"\n"))
    assert sender.ask(b"QUIT") == 221
    assert idle.deliver() == 250  # it has until the graceful timeout
    assert idle.ask(b"QUIT") == 221
    assert running.ended() == 0
    assert len(running.wait_for(1)) == 1


def test_term_ends_sessions_after_the_graceful_timeout_but_not_within_a_message(daemon):
    running = daemon(graceful_timeout=0).serving()
    sender, idle = (running.connect().greeted() for _ in range(2))
    sender.open_message()
    sender.send(LARGE)
    running.signal(signal.SIGTERM)
    assert idle.reply() == 421
    assert idle.text.startswith(b"421 4.3.2 Service shutting down")
    sender.send(b".\r\n")
    assert sender.reply() == 250
    assert sender.reply() == 421
    for client in (idle, sender):  # else the last octets of both would be waited for
        client.close()
    assert running.ended() == 0
    assert len(running.wait_for(1)) == 1


def test_term_waits_no_longer_than_the_finish_timeout(daemon):
    running = daemon(graceful_timeout=0, finish_timeout=1).serving()
    sender = running.connect().greeted().open_message()
    sender.send(LARGE)
    running.signal(signal.SIGTERM)
    assert sender.reply() == 0
    assert running.ended() == 0
    assert "1 sessions are cut short" in running.log
    assert running.leftovers() == []
    assert not (running.maildir / "new").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_now(daemon, number):
    running = daemon(workers=2).serving()
    sender = running.connect().greeted().open_message()
    sender.send(LARGE)
    idle = running.connect().greeted()
    started = time.monotonic()
    running.signal(number)
    assert idle.reply() == 421
    assert sender.reply() == 0
    assert running.ended() == 0
    assert time.monotonic() - started < PROMPT
    assert running.leftovers() == []
    assert not (running.maildir / "new").exists()


def test_hup_takes_a_new_configuration_and_leaves_sessions_alone(daemon):
    running = daemon().serving()
    old = running.connect().greeted()
    running.configure(rcpthosts="example.com", smtpgreeting="second ESMTP")
    running.signal(signal.SIGHUP)
    running.serving(2)
    until(lambda: greeting(running).startswith(b"220 second"), "the new generation")
    client = running.connect().greeted()
    assert client.ask(b"MAIL FROM:<>") == 250
    assert client.ask(b"RCPT TO:<user@example.org>") == 550
    assert old.deliver() == 250
    assert old.ask(b"QUIT") == 221
    assert len(running.wait_for(1)) == 1


def greeting(running):
    """Connect; return what one is greeted with."""
    client = running.connect()
    client.reply()
    return client.text


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"plugins": "rcpt_ok\nfnord"}, "fnord"),
        ({"plugins": "queue/maildir"}, "plugins:1: queue::maildir: argument path"),
        ({"databytes": "many"}, "databytes"),
        ({"workers": "many"}, "workers"),
        ({"group": "nosuchgroup"}, "unknown group nosuchgroup"),
    ],
    ids=["unknown-plugin", "bad-argument", "bad-setting", "bad-option", "bad-group"],
)
def test_hup_with_a_bad_configuration_says_why_and_the_old_one_serves_on(daemon, bad, reason):
    running = daemon().serving()
    worker = running.worker()
    sender = running.connect().greeted().open_message()
    good = {name: (running.config / name) for name in bad}
    good = {name: file.read_text() if file.exists() else None for name, file in good.items()}
    running.configure(**bad)
    running.signal(signal.SIGHUP)
    running.logged("reload failed, ")
    (line,) = [line for line in running.log.splitlines() if "reload failed, " in line]
    assert reason in line
    assert "serves on: " in line or "nothing changes: " in line
    assert "Traceback" not in running.log
    sender.send(b"\r\n.\r\n")
    assert sender.reply() == 250
    assert running.deliver() == 250
    assert running.worker() == worker
    for name, text in good.items():
        if text is None:
            (running.config / name).unlink()
        else:
            (running.config / name).write_text(text)
    running.signal(signal.SIGHUP)
    until(lambda: running.log.count(" serves with ") == 2, "the repaired configuration")
    assert running.deliver() == 250


def test_a_first_start_with_a_bad_configuration_says_why_in_a_line(daemon):
    running = daemon(plugins=["fnord"])
    assert running.ended() == 4
    assert [line for line in running.log.splitlines() if "fnord" in line]
    assert "Traceback" not in running.log
