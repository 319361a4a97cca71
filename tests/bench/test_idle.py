"""bench.idle notices servers that do not keep what they took."""

import socketserver
import threading

import pytest
from bench.idle import Holder
from bench.server import Failed


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.greeted.append(self.client_address)
        self.wfile.write(self.server.greeting)
        for line in self.rfile:
            if line.startswith(b"EHLO"):
                self.wfile.write(b"250-bench.example\r\n250-SIZE\r\n")
                self.wfile.write(b"250 HELP\r\n")
            else:
                if not self.server.patient:
                    return
                self.wfile.write(b"250 ok\r\n")


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 100


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Session) as running:
        running.greeted = []
        running.greeting = b"220 bench.example\r\n"
        running.patient = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_sessions_are_greeted_and_still_there(server):
    with Holder(server.server_address[1]) as holder:
        holder.open(60)
        holder.check()
    assert len(server.greeted) == 60


def test_a_server_that_greets_with_an_error_fails(server):
    server.greeting = b"421 too many\r\n"
    with Holder(server.server_address[1]) as holder, pytest.raises(Failed, match="421 too many"):
        holder.open(1)


def test_a_session_that_was_closed_is_noticed(server):
    server.patient = False
    with Holder(server.server_address[1]) as holder:
        holder.open(2)
        with pytest.raises(Failed, match="closed by the server"):
            holder.check()


def test_too_few_descriptors_are_told_beforehand(server):
    with Holder(server.server_address[1]) as holder, pytest.raises(Failed, match="descriptors"):
        holder.open(10**9)
    assert server.greeted == []
