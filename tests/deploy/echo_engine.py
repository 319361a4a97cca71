"""An engine whose sessions say little: greeting, WHO, QUIT, and ways to misbehave."""

import asyncio
import json
import os
import time
from pathlib import Path

from qpsmtpd.constants import DENY, LOGDEBUG
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks import PASS, Verdict
from qpsmtpd.telemetry.log import Log

_hoard = []


class EchoEngine:
    """Reads the file named by the option ``file``: what to do wrong, and what to greet with."""

    def __init__(self, options):
        self.logger = Log(LOGDEBUG)
        self.options = options
        file = options.get("file")
        self.behaviour = json.loads(Path(file).read_text()) if file else {}
        self.groups = os.getgroups()
        match self.behaviour.get("fail"):
            case "config":
                raise ConfigError("no such plugin as fnord", file="plugins", line=3)
            case "boot":
                raise RuntimeError("fnord cannot be imported")
            case "exit":
                os._exit(9)
            case "hang":
                time.sleep(100)

    async def start(self):
        if self.behaviour.get("fail") == "worker":
            raise RuntimeError("no database")

    async def stop(self):
        self.logger.log(LOGDEBUG, "engine stopped")

    def pre_connection(self, client):
        if self.behaviour.get("deny"):
            return Verdict(DENY, (f"not you, {client.remote_ip}",), "hosts_allow")
        return PASS

    def protocol(self, client, done):
        if self.behaviour.get("fail") == "protocol":
            raise RuntimeError("no session today")
        return Echo(self, client, done)

    def tick(self, now):
        if self.behaviour.get("fail") == "tick":
            raise RuntimeError("tick tock")

    def reopen(self):
        self.logger.log(LOGDEBUG, "logs reopened")


class Echo(asyncio.Protocol):
    def __init__(self, engine, client, done):
        self.engine = engine
        self.client = client
        self.done = done
        self.ending = False

    def say(self, text):
        self.transport.write(f"{text}\r\n".encode())

    def connection_made(self, transport):
        self.transport = transport
        self.say(f"220 {self.engine.behaviour.get('greeting', 'hello')}")

    def connection_lost(self, error):
        self.done()

    def shutdown(self):
        if not self.ending:
            self.ending = True
            self.say("421 shutting down")
            self.transport.close()

    def abort(self):
        self.transport.abort()

    def data_received(self, data):
        for line in data.decode().splitlines():
            word, _, argument = line.partition(" ")
            getattr(self, f"do_{word.lower()}")(argument)

    def do_quit(self, argument):
        self.say("221 bye")
        self.transport.close()

    def do_who(self, argument):
        client = self.client
        known = {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "groups": self.engine.groups,
            "home": os.environ.get("HOME"),
            "generation": self.engine.options["generation"],
            "listeners": self.engine.options["listeners"],
            "listener": client.listener.name,
            "remote": [client.remote_ip, client.remote_port],
            "local": [client.local_ip, client.local_port],
            "connections": client.connections,
            "connections_from_ip": client.connections_from_ip,
            "max_conn_ip": client.max_conn_ip,
            "nodelay": self.transport.get_extra_info("socket").getsockopt(6, 1),
            "umask": os.umask(0o077),
        }
        self.say(f"250 {json.dumps(known)}")

    def do_proxy(self, argument):
        self.say(f"421 {refused}" if (refused := self.client.readdress(argument)) else "250 ok")

    def do_block(self, argument):
        time.sleep(100)

    def do_hoard(self, argument):
        """Take every descriptor that is left."""
        try:
            while True:
                _hoard.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            self.say(f"250 {len(_hoard)}")

    def do_share(self, argument):
        """Give them back."""
        while _hoard:
            os.close(_hoard.pop())
        self.say("250 ok")

    def do_cpu(self, argument):
        self.say(f"250 {time.process_time()}")
