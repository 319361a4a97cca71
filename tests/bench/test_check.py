"""bench.check finds servers out that refuse mail, or keep it."""

import socketserver
import threading
import time

import pytest
from bench.server import Failed

from bench import check


class Session(socketserver.StreamRequestHandler):
    """As little of a server as one message needs."""

    def handle(self):
        self.wfile.write(b"220 bench.example\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                content = b""
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                    content += part
                self.server.take(content)
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(self.server.answers.get(verb, b"250 ok") + b"\r\n")


@pytest.fixture
def server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as running:
        running.answers = {}
        running.taken = []
        running.take = running.taken.append
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def port(server):
    return server.server_address[1]


def test_a_server_that_discards_passes(server, tmp_path):
    check.takes_and_discards(port(server), tmp_path)
    assert len(server.taken) == 1


@pytest.mark.parametrize("verb", [b"MAIL", b"RCPT"])
def test_a_server_that_refuses_fails(server, tmp_path, verb):
    server.answers[verb] = b"550 no"
    with pytest.raises(Failed, match="does not take mail"):
        check.takes_and_discards(port(server), tmp_path)


def test_a_server_that_refuses_one_recipient_of_two_fails(server, tmp_path):
    answers = iter([b"250 ok", b"550 no"])

    class Once(dict):
        def get(self, verb, default):
            return next(answers) if verb == b"RCPT" else default

    server.answers = Once()
    with pytest.raises(Failed, match="refuses recipients"):
        check.takes_and_discards(port(server), tmp_path)


def test_nobody_there_fails(server, tmp_path):
    with pytest.raises(Failed, match="does not take mail"):
        check.takes_and_discards(1, tmp_path)


def test_a_server_that_keeps_mail_fails(server, tmp_path):
    server.take = (tmp_path / "kept").write_bytes
    with pytest.raises(Failed, match=r"keeps mail.*kept"):
        check.takes_and_discards(port(server), tmp_path, patience=0.1)


def test_a_queue_that_empties_in_time_passes(server, tmp_path):
    queued = tmp_path / "queue" / "1"
    queued.parent.mkdir()

    def take(content):
        queued.write_bytes(content)
        timer = threading.Timer(0.1, queued.unlink)
        timer.start()
        server.taken.append(timer)

    server.take = take
    start = time.monotonic()
    check.takes_and_discards(port(server), tmp_path)
    assert time.monotonic() - start >= 0.05
    server.taken[0].join()


def test_other_files_are_of_no_interest(tmp_path):
    (tmp_path / "other").write_text("something else")
    assert check.kept(tmp_path, "mark") is None
    (tmp_path / "this").write_text("the mark is here")
    assert check.kept(tmp_path, "mark") == tmp_path / "this"
