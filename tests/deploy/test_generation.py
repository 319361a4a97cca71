import json
import os
import socket
import sys
import types

import pytest

import qpsmtpd.deploy.worker  # noqa: F401 - a child that is nobody may be unable to import it
from qpsmtpd.deploy import privileges
from qpsmtpd.deploy.channel import Channel
from qpsmtpd.deploy.generation import Generation, main
from qpsmtpd.deploy.options import Options
from qpsmtpd.deploy.privileges import lookup
from qpsmtpd.deploy.scoreboard import Scoreboard


def make_engine(options):
    """Stands in for an engine: tells who it would be."""
    known = {
        "ids": [*os.getresuid(), *os.getresgid()],
        "groups": os.getgroups(),
        "umask": os.umask(0o077),
        "home": os.environ["HOME"],
        "options": options,
    }
    try:
        os.setuid(0)
    except PermissionError:
        known["back"] = False
    return known


@pytest.mark.usefixtures("needs_root")
def test_privileges_are_gone_when_the_engine_is_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "probe", types.ModuleType("probe"))
    sys.modules["probe"].make = make_engine
    monkeypatch.setattr(privileges.os, "access", lambda path, mode: True)
    identity = lookup("nobody")
    board = Scoreboard.create(8)
    start = {
        "generation": 7,
        "options": Options(engine="probe:make", engine_options={"toml": None}).encode(),
        "identity": identity,
        "scoreboard": board.fd,
        "rows": [0, 8],
        "workers": 1,
        "listeners": [],
    }
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            generation = Generation(Channel.pair()[0], start)
            generation.boot()
            os.write(write, json.dumps(generation.engine).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with os.fdopen(read, "rb") as report:
        known = json.loads(report.read())
    board.close()
    assert known["ids"] == [identity.uid] * 3 + [identity.gid] * 3
    assert sorted(known["groups"]) == sorted(set(identity.groups))
    assert known["umask"] == 0o077
    assert known["home"] == identity.home
    assert known["back"] is False
    assert known["options"] == {"toml": None, "listeners": [], "generation": 7}


def test_without_an_arbiter_it_does_not_start():
    ours, theirs = socket.socketpair()
    ours.close()
    assert main([str(theirs.detach())]) == 3


def test_an_unknown_engine_is_a_configuration_error():
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    board = Scoreboard.create(8)
    identity = lookup("root" if os.geteuid() == 0 else "")
    channel.send(
        generation=1,
        options=Options(engine="qpsmtpd.deploy.exits:Fnord").encode(),
        identity=identity,
        scoreboard=board.fd,
        rows=[0, 8],
        workers=1,
        listeners=[],
    )
    umask = os.umask(0o022)
    try:
        assert main([str(theirs.detach())]) == 4
    finally:
        os.umask(umask)
        board.close()
    assert channel.receive() == [
        {"event": "failed", "text": "module qpsmtpd.deploy.exits has no Fnord"}
    ]
    channel.close()
