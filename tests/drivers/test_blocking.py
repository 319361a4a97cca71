import socket
import time

import pytest
from tests.drivers.scripted import Script
from tests.smtp.ways import (
    ACCEPTING,
    ENVELOPE,
    HELLO,
    MAIL,
    WATCHED,
    Log,
    chains,
    handler,
    make,
    replies,
)

from qpsmtpd.constants import OK
from qpsmtpd.drivers.blocking import serve
from qpsmtpd.hooks.chain import Chains, Kind, run_blocking
from qpsmtpd.smtp import Connection, Session, SessionSettings, State

MESSAGE = ENVELOPE + b"DATA\r\nA: b\r\n\r\ntext\r\n.\r\n"
DIALOGUE = MESSAGE + b"QUIT\r\n"
CODES = [220, 250, 250, 250, 354, 250, 221]
CLOSING = ["reset_transaction", "disconnect", "post_connection"]


class Wire:
    """One end of a socket pair."""

    def __init__(self, connected):
        self.connected = connected

    def read(self, seconds):
        self.connected.settimeout(seconds)
        try:
            return self.connected.recv(65536)
        except TimeoutError:
            return None

    def write(self, data):
        self.connected.sendall(data)


def scripted(*steps, answers=ACCEPTING, **settings):
    client = Script(*steps)
    session = make(answers, **settings)
    serve(session, client, monotonic=client.monotonic)
    assert session.state is State.CLOSED
    return client


@pytest.mark.parametrize("kind", list(Kind))
def test_a_dialogue_over_a_socket(kind):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(DIALOGUE)
        session = make(kind=kind)
        serve(session, Wire(ours))
        ours.close()
        received = b"".join(iter(lambda: theirs.recv(65536), b""))
    assert [int(reply[:3]) for reply in replies(received)] == CODES
    assert session.messages == 1


@pytest.mark.parametrize("end", range(0, len(DIALOGUE), 3))
def test_a_client_may_go_at_any_point(end):
    calls = []
    handlers = [handler(hook, lambda *a, hook=hook: calls.append(hook)) for hook in WATCHED]
    handlers += [handler("rcpt", OK), handler("queue", OK)]
    session = Session(Connection(), Chains(handlers), SessionSettings())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(DIALOGUE[:end])
        theirs.close()
        serve(session, Wire(ours))
    assert session.state is State.CLOSED
    assert session.transaction is None
    assert calls.count("disconnect") == calls.count("post_connection") == 1
    assert calls.count("reset_transaction") == calls.count("mail_pre")


def test_replies_are_sent_before_anything_is_waited_for():
    order = []
    client = Script(HELLO + MAIL)

    def run(call):
        order.append((call.hook, len(client.written)))
        return run_blocking(call)

    session = make({"mail": None}, kind=Kind.BLOCKING)
    serve(session, client, run, client.monotonic)
    assert order == [("mail", 2)]  # greeting, then EHLO's reply


def test_pipelined_commands_are_answered_with_one_write():
    client = scripted(MESSAGE, b"QUIT\r\n")
    assert client.codes == CODES
    assert len(client.written) == 3


def test_much_output_is_sent_in_between():
    client = scripted(b"HELP\r\n" * 5000, max_junk=0)
    assert len(client.codes) == 5001
    assert max(map(len, client.written)) < 40_000


def test_silence_is_answered_and_ends_the_session():
    client = scripted(HELLO, 9999.0, MAIL, command_timeout=300)
    assert client.codes == [220, 250, 421]
    assert client.waits == [300, 300]
    assert b"Timed Out" in client.written[-1]


def test_dripping_a_line_gains_no_time():
    class Dripping(Script):
        def read(self, seconds):
            self.waits.append(seconds)
            self.now += 100
            return b"x"

    slow = Dripping()
    serve(make(command_timeout=300), slow, monotonic=slow.monotonic)
    assert slow.waits == [300, 200, 100]
    assert slow.codes == [220, 421]


def test_a_message_may_take_as_long_as_its_octets_allow():
    class Dripping(Script):
        def read(self, seconds):
            if self.steps:
                return super().read(seconds)
            self.waits.append(seconds)
            self.now += 10
            return b"x" * 500

    client = Dripping(ENVELOPE + b"DATA\r\n")
    serve(
        make(data_timeout=60, data_min_rate=100, max_text_line=0),
        client,
        monotonic=client.monotonic,
    )
    # each block of 500 octets takes ten seconds and brings five
    assert client.waits[1:4] == [60, 55, 50]
    assert client.codes[-1] == 421


def test_a_session_may_not_last_too_long():
    class Chatting(Script):
        def read(self, seconds):
            self.waits.append(seconds)
            self.now += min(40, seconds)
            return b"NOOP\r\n" if seconds > 40 else None

    client = Chatting()
    serve(make(session_timeout=100), client, monotonic=client.monotonic)
    assert client.waits == [100, 60, 20]
    assert b"421 Session has lasted too long" in client.written[-1]


def test_the_time_a_hook_takes_is_not_the_clients():
    client = Script(b"NOOP\r\n", b"NOOP\r\n")

    def run(call):
        client.now += 1000
        return run_blocking(call)

    serve(make({"noop": None}, kind=Kind.BLOCKING), client, run, client.monotonic)
    assert client.codes == [220, 250, 250]


@pytest.mark.parametrize("octets", [HELLO, ENVELOPE, ENVELOPE + b"DATA\r\n", b"HELP\r\n" * 5000])
def test_a_client_that_cannot_be_written_to_is_gone(octets):
    class Broken(Script):
        def write(self, data):
            if len(self.written) > 0:
                raise BrokenPipeError
            super().write(data)

    calls = []
    answers = {hook: lambda *a, hook=hook: calls.append(hook) for hook in CLOSING}
    for kind in (Kind.PLAIN, Kind.BLOCKING):
        calls.clear()
        client = Broken(octets, MAIL)
        session = make({**ACCEPTING, **answers}, kind=kind, max_junk=0)
        serve(session, client, monotonic=client.monotonic)
        assert session.state is State.CLOSED
        assert calls == CLOSING[0 if b"MAIL" in octets else 1 :]


def test_the_end_of_input_still_gets_its_replies():
    client = scripted(MESSAGE)
    assert client.codes == CODES[:-1]


@pytest.mark.parametrize("octets", [HELLO, ENVELOPE, ENVELOPE + b"DATA\r\nA: b\r\n"])
def test_a_client_that_cannot_be_read_from_is_gone(octets):
    class Broken(Script):
        def read(self, seconds):
            if not self.steps:
                raise ConnectionResetError
            return super().read(seconds)

    calls = []
    answers = {hook: lambda *a, hook=hook: calls.append(hook) for hook in CLOSING}
    client = Broken(octets)
    session = make({**ACCEPTING, **answers})
    serve(session, client, monotonic=client.monotonic)
    assert session.state is State.CLOSED
    assert calls == CLOSING[0 if b"MAIL" in octets else 1 :]


@pytest.mark.parametrize("octets", [b"", b"PROXY nonsense\r\n", b"EHLO a\r\n"])
def test_a_client_without_its_proxy_header_runs_the_closing_hooks(octets):
    calls = []
    answers = {hook: lambda *a, hook=hook: calls.append(hook) for hook in WATCHED}
    client = Script(octets)
    session = make(answers, connection={"rights": frozenset({"proxy"})})
    serve(session, client, monotonic=client.monotonic)
    assert session.state is State.CLOSED
    assert calls == CLOSING[1:]
    assert client.written == []


def test_nobody_keeps_others_waiting_here():
    log = Log()
    answers = {"noop": lambda *a: time.sleep(0.1)}
    session = Session(Connection(logger=log), chains(answers), SessionSettings())
    serve(session, Script(b"NOOP\r\nNOOP\r\n"))
    assert not [text for text in log.texts if "kept every session" in text]
