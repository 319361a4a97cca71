"""The daemon as faults meet it: ``qpsmtpd serve`` in a process of its own, and clients for it.

Nothing here sleeps to let something happen: ``until`` waits for it, and gives up in the end.
"""

import contextlib
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.interop.daemon import DOMAIN, NOBODY, Daemon

#: seconds after which something that was waited for has not happened
PATIENCE = 30.0
#: seconds a client is served in although others misbehave (``reliability.md``, F-5 and F-7)
PROMPT = 5.0

MESSAGE = b"Subject: one\r\n\r\ntext\r\n"
ENVELOPE = (b"MAIL FROM:<sender@example.net>", b"RCPT TO:<user@example.org>", b"DATA")


def until(condition, what="the condition"):
    """Poll until *condition* returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        said = what() if callable(what) else what
        assert time.monotonic() < deadline, f"waited in vain for {said}"
        time.sleep(0.01)
    return found


class Client:
    """A client that does what a test says and nothing else; an assertion fails when it waits."""

    def __init__(self, address, source="", room=0):
        """Connect.

        Args:
            address: host and port, or the path of a Unix socket.
            source: address to come from; "" for any.
            room: octets of replies that the system may hold for us; 0 for the usual.
        """
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        if isinstance(address, tuple) and ":" in address[0]:
            family = socket.AF_INET6
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE)
        try:
            if room:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def reply(self):
        """Read a whole reply; return its code, 0 when the connection has ended."""
        self.text = b""
        with contextlib.suppress(ConnectionResetError):
            while line := self.file.readline():
                self.text += line
                if line[3:4] != b"-":
                    return int(line[:3])
        return 0

    def send(self, octets):
        """Send octets; False when nobody is there to take them."""
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def ask(self, command):
        """Send a command, return the code of its reply."""
        self.send(command + b"\r\n")
        return self.reply()

    def greeted(self):
        """Wait for the greeting, say hello."""
        assert self.reply() == 220, self.text
        return self.hello()

    def hello(self):
        """Say hello."""
        assert self.ask(b"EHLO client.example.net") == 250, self.text
        return self

    def open_message(self):
        """Come to where content is sent."""
        codes = [self.ask(command) for command in ENVELOPE]
        assert codes == [250, 250, 354], self.text
        return self

    def deliver(self, content=MESSAGE):
        """Send a message, return the code of the last reply."""
        self.open_message()
        self.send(content + b".\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


class Faulty(Daemon):
    """A daemon that takes mail for example.org into a maildir, and what is known of it."""

    def __init__(self, place, settings, plugins=(), prefix=(), listen=("127.0.0.1:0",)):
        """Start it.

        Args:
            place: a directory it can reach.
            settings: control files beside those every daemon here has.
            plugins: lines of ``config/plugins`` in front of ``rcpt_ok``.
            prefix: command that runs the daemon's.
            listen: addresses.
        """
        self.place, self.config, self.log_file = place, place / "config", place / "log"
        super().__init__(0, place / "mail" / "box")
        self.config.mkdir()
        self.spool = place / "spool"
        for folder in (self.maildir.parent, self.spool):
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                account = pwd.getpwnam(NOBODY)
                os.chown(folder, account.pw_uid, account.pw_gid)
        self.configure(me=f"mx.{DOMAIN}", rcpthosts=DOMAIN, loglevel=5, workers=1)
        self.configure(**{"spool_dir": self.spool, "size_threshold": 4096, **settings})
        self.configure(plugins="\n".join([*plugins, "rcpt_ok", f"queue/maildir {self.maildir}"]))
        command = [*prefix, sys.executable, "-m", "qpsmtpd", "serve"]
        command += ["--config-dir", str(self.config)]
        command += [word for address in listen for word in ("--listen-address", address)]
        command += ["--user", NOBODY] if os.geteuid() == 0 else []
        self.clients = []
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def configure(self, **settings):
        """Write control files."""
        for name, value in settings.items():
            (self.config / name).write_text(f"{value}\n")

    @property
    def log(self):
        return self.log_file.read_text()

    def logged(self, text, times=1):
        found = lambda: self.log.count(text) >= times  # noqa: E731 - shorter
        return until(found, lambda: f"{text!r} in the log:\n{self.log[-2000:]}")

    def serving(self, generation=1):
        """Wait until a generation serves."""
        serves = f"generation {generation} serves with"
        until(
            lambda: serves in self.log or self.process.poll() is not None,
            lambda: f"generation {generation}:\n{self.log[-2000:]}",
        )
        assert serves in self.log, self.log[-2000:]
        return self

    @property
    def addresses(self):
        """Where it listens, from the log."""
        return [
            (host, int(port))
            for host, port in re.findall(
                r"Listening on \[?([0-9a-f:.]+?)\]?:(\d+)$", self.log, re.MULTILINE
            )
        ]

    def connect(self, address=None, **options):
        self.clients.append(Client(address or self.addresses[0], **options))
        return self.clients[-1]

    def deliver(self, content=MESSAGE, address=None):
        """Send a message in a session of its own, return the code of the reply to it."""
        client = self.connect(address).greeted()
        code = client.deliver(content)
        assert [client.ask(b"QUIT"), client.reply()] == [221, 0]
        client.close()
        return code

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        return self.process.wait(PATIENCE)

    def children(self, pid=0):
        """The processes that a process of the daemon, the arbiter unless told, has started."""
        found = []
        for task in Path(f"/proc/{pid or self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
        return found

    def workers(self):
        """The processes that serve clients."""
        return [worker for child in self.children() for worker in self.children(child)]

    def worker(self):
        """The process that serves clients, when it is one."""
        (pid,) = self.workers()
        return pid

    def leftovers(self):
        """Files of messages that are neither taken nor refused."""
        tmp = self.maildir / "tmp"
        return [*self.spool.iterdir(), *(tmp.iterdir() if tmp.is_dir() else ())]

    def close(self):
        """End it, whatever a test did to it, and leave no process."""
        for client in self.clients:
            client.close()
        below = [*self.children(), *self.workers()]
        if self.process.poll() is None:
            self.signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                for pid in [*below, self.process.pid]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.wait()
                raise


def limited(what, most):
    """Make a command that runs another with a limit of the system: ``limited("NOFILE", 64)``."""
    script = (
        "import os, resource, sys; what = getattr(resource, 'RLIMIT_' + sys.argv[1]); "
        "resource.setrlimit(what, (int(sys.argv[2]),) * 2); os.execv(sys.argv[3], sys.argv[3:])"
    )
    return (sys.executable, "-c", script, what, str(most))


def memory(pid, what="VmHWM"):
    """Octets of memory: ``VmHWM`` for the most there ever was, ``VmRSS`` for now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024


def processor_time(pid):
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
