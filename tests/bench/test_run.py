"""bench.run reads its command line and goes on without the servers it cannot have."""

import argparse
import contextlib
import sys
from pathlib import Path

import pytest
from bench.load import WORK
from bench.peers import LIMIT, OURS, PEERS, Peer
from bench.server import Launch

from bench import run

GREETS = """
import socketserver, sys

class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 toy\\r\\n")
        content = False
        for line in self.rfile:
            if content and line != b".\\r\\n":
                continue
            content = line.upper().startswith(b"DATA")
            code = b"354" if content else b"221" if line.upper().startswith(b"QUIT") else b"250"
            self.wfile.write(code + b" ok\\r\\n")

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

Server(("127.0.0.1", int(sys.argv[1])), Session).serve_forever()
"""


def toy(place):
    return Launch((sys.executable, "-c", GREETS, str(place.port)))


def broken(place):
    return Launch((sys.executable, "-c", "raise SystemExit('broken')"))


def test_nothing_said_is_the_whole_benchmark():
    options = run.parse([])
    assert set(options.work) == {*WORK, "idle", "linear"}
    assert {LIMIT, OURS} < set(options.peers)
    assert (options.rounds, options.idle, options.save) == (3, 10_000, True)


def test_quick_is_throughput_in_one_round():
    options = run.parse(["--quick"])
    assert options.work == [*WORK]
    assert options.rounds == 1
    assert run.parse(["--quick", "--rounds", "2"]).rounds == 2


def test_a_part_is_not_kept_in_place_of_the_whole():
    assert run.parse(["--peers", "sink,sink"]).peers == ["sink"]
    assert not run.parse(["--peers", "sink"]).save
    assert not run.parse(["--work", "a"]).save


@pytest.mark.parametrize("words", [["--peers", "exim"], ["--work", "z"]])
def test_unknown_names_are_refused_with_the_known_ones(words, capsys):
    with pytest.raises(SystemExit):
        run.parse(words)
    assert "unknown: " in capsys.readouterr().err


def test_servers_that_cannot_be_had_or_started_are_told_from_those_that_run(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "spool_base", lambda: tmp_path)
    for peer in (
        Peer("toy", "toy", toy, ()),
        Peer("broken", "broken", broken, ()),
        Peer("absent", "absent", toy, (Path("/nonexistent/program"),)),
    ):
        monkeypatch.setitem(PEERS, peer.name, peer)
    bench = run.Bench(argparse.Namespace(peers=["absent", "broken", "toy"]))
    with contextlib.ExitStack() as stack:
        bench.start(stack)
        assert list(bench.servers) == ["toy"]
    assert len(bench.absent) == len(bench.failures) == 1
    assert "/nonexistent/program" in bench.absent[0]
    assert "broken does not greet" in bench.failures[0]
    assert list(tmp_path.iterdir()) == []
