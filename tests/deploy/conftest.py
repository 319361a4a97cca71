"""A daemon with an engine that only echoes, and clients for it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE = 20.0


def until(condition, what="the condition"):
    """Poll until *condition* returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        said = what() if callable(what) else what
        assert time.monotonic() < deadline, f"waited in vain for {said}"
        time.sleep(0.01)
    return found


class Client:
    """A client that keeps no more state than its socket."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        if isinstance(address, tuple) and ":" in address[0]:
            family = socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def ask(self, command):
        self.socket.sendall(f"{command}\r\n".encode())
        return self.line()

    def who(self):
        return json.loads(self.ask("WHO")[4:])

    def close(self):
        self.file.close()
        self.socket.close()


class Daemon:
    """A running daemon."""

    def __init__(self, folder, behaviour, options, environ=None, prefix=(), pass_fds=()):
        self.folder = folder
        self.log_file = folder / "log"
        self.behaviour_file = folder / "behaviour.json"
        self.options_file = folder / "options.json"
        self.clients = []
        self.behave(**behaviour)
        self.user = "root" if os.geteuid() == 0 else ""
        self.options = {
            "engine": "echo_engine:EchoEngine",
            "engine_options": {"file": str(self.behaviour_file)},
            "listen": ["127.0.0.1:0"],
            "user": self.user,
            "graceful_timeout": 10.0,
            "finish_timeout": 5.0,
            **options,
        }
        self.configure()
        command = [*prefix, sys.executable, str(HERE / "run_daemon.py"), str(self.options_file)]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                pass_fds=pass_fds,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(HERE)} | (environ or {}),
            )

    def behave(self, **behaviour):
        self.behaviour_file.write_text(json.dumps(behaviour))

    def configure(self, **options):
        self.options |= options
        self.options_file.write_text(json.dumps(self.options))

    @property
    def log(self):
        return self.log_file.read_text()

    def logged(self, text, times=1):
        found = lambda: self.log.count(text) >= times  # noqa: E731 - shorter
        return until(found, lambda: f"{text!r} in the log:\n{self.log}")

    def serving(self, generation=1):
        self.logged(f"generation {generation} serves with")
        return self

    @property
    def addresses(self):
        """Where it listens, from the log."""
        found = []
        for host, port in re.findall(
            r"Listening on \[?([0-9a-f:.]+?)\]?:(\d+)$", self.log, re.MULTILINE
        ):
            found.append((host, int(port)))
        return found

    def connect(self, address=None):
        client = Client(address or self.addresses[0])
        self.clients.append(client)
        return client

    def greeted(self, address=None):
        client = self.connect(address)
        assert client.line().startswith("220 ")
        return client

    def greeted_by(self, generation):
        """Connect until that generation answers: the one before it may still do so at first."""

        def attempt():
            client = self.greeted()
            known = client.who()
            client.generation = known["parent"]  # its process
            return client if known["generation"] == generation else client.close()

        return until(attempt, f"generation {generation}")

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        return self.process.wait(PATIENCE)

    def pids(self):
        """The processes below the arbiter."""
        found, parents = [], [self.process.pid]
        while parents:
            parent = parents.pop()
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    children = [int(pid) for pid in task.read_text().split()]
                    found += children
                    parents += children
        return found

    def close(self):
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                for pid in [*self.pids(), self.process.pid]:
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
                raise


@pytest.fixture
def wait_for():
    """Poll a condition until it is true: ``wait_for(condition, what)``."""
    return until


@pytest.fixture
def daemon(tmp_path):
    """Start daemons: ``daemon(behaviour, option=…)``; all are ended."""
    running = []

    def start(behaviour=None, *, environ=None, prefix=(), pass_fds=(), **options):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Daemon(folder, behaviour or {}, options, environ, prefix, pass_fds))
        return running[-1]

    yield start
    for one in running:
        one.close()
