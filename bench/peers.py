"""The servers compared: how each is configured and started.

Every one takes every recipient and throws every message away, listens on one loopback port,
writes below one throw-away directory, and runs without privileges where it can.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bench.server import HOST, Failed, Launch, Place

__all__ = ["LIMIT", "OURS", "PEERS", "Peer", "missing"]

_HERE: Final = Path(__file__).resolve().parent
_SERVERS: Final = _HERE / "servers"
_HARAKA: Final = _HERE.parent / "build" / "bench" / "haraka" / "node_modules" / "haraka"
_COMPILED: Final = _HERE.parent / "build" / "compiled" / "bin" / "qpsmtpd"
_POSTFIX: Final = Path("/usr/lib/postfix/sbin")

#: our own command line, without the model; ``{names}`` are filled in
_SERVE: Final = (
    "qpsmtpd serve --procs 1 --config-dir {directory} --listen-address 127.0.0.1:{port} "
    "--limit-connections 12000 --max-from-ip 12000 --backlog 4096 --no-rdns --user {user}"
)

#: lines of our ``plugins``: twenty declining handlers on the path of a message, half of them
#: coroutines, then one that takes every recipient and one that throws the message away
_PLUGINS: Final = (
    "declines:0",
    "declines_async:0",
    "declines:1",
    "declines_async:1",
    "everyone",
    "queue/discard",
)

#: sessions a server with a process for each of them is given at most
_MANY_PROCESSES: Final = 200


class Peer(NamedTuple):
    """One row of the table."""

    name: str  #: for ``--peers``
    title: str  #: for the report
    prepare: Callable[[Place], Launch]  #: writes the configuration
    needs: tuple[Path | str, ...]  #: files that must exist, commands that must be found
    sessions: int = 10_000  #: idle sessions it is asked to hold
    root: bool = False  #: cannot run as an ordinary user
    optional: bool = False  #: only when named by ``--peers``


def missing(peer: Peer) -> str:
    """Return why *peer* cannot run here, "" if it can."""
    if peer.root and os.geteuid() != 0:
        return "can only be started by root"
    for need in peer.needs:
        found = need.exists() if isinstance(need, Path) else _which(need)
        if not found:
            how = "make compiled" if need == _COMPILED else "bench/install.sh"
            return f"{need} is missing: run {how}"
    return ""


def _which(command: str) -> str:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"))
    return shutil.which(command, path=path) or ""


def _account(program: Path | str) -> str:
    """Return whom to start *program* as: nobody, if we are root and nobody can reach it."""
    if os.geteuid() != 0:
        return ""
    path = Path(program).resolve()
    reachable = all(step.stat().st_mode & 0o001 for step in (path, *path.parents))
    return "nobody" if reachable else ""


def _give(directory: Path, account: str) -> None:
    """Make *directory* and what is in it *account*'s own."""
    if account and os.geteuid() == 0:
        entry = pwd.getpwnam(account)
        for path in (directory, *directory.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid)


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _sink(place: Place) -> Launch:
    program = _which("smtp-sink")
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    address = f"{HOST}:{place.port}"
    return Launch((program, *user, "-h", "bench.example", "-m", "12000", address, "4096"))


def _ours(model: str, program: Path | None = None) -> Callable[[Place], Launch]:
    def prepare(place: Place) -> Launch:
        _write(
            place.directory,
            {
                "plugins": "\n".join(_PLUGINS) + "\n",
                "plugin_dirs": f"{_HERE / 'plugins'}\n",
                "me": "bench.example\n",
                "loglevel": "3\n",
                "spool_dir": f"{place.directory / 'spool'}\n",
            },
        )
        (place.directory / "spool").mkdir(mode=0o700)
        user = _account(sys.executable) or pwd.getpwuid(os.geteuid()).pw_name
        _give(place.directory, user)
        words = _SERVE.format(directory=place.directory, port=place.port, user=user).split()
        command = str(program) if program is not None else _which(words[0])
        return Launch((command, words[1], "--model", model, *words[2:]))

    return prepare


def _aiosmtpd(place: Place) -> Launch:
    account = _account(sys.executable)
    argv = (sys.executable, str(_SERVERS / "aiosmtpd" / "serve.py"), str(place.port))
    return Launch(argv, account=account)


def _haraka(nodes: int) -> Callable[[Place], Launch]:
    def prepare(place: Place) -> Launch:
        listen = f"listen={HOST}:{place.port}\n"
        # a file of ours replaces all of Haraka's, so it begins as a copy
        limits = (_HARAKA / "config" / "connection.ini").read_text(encoding="utf-8")
        limits = limits.replace("max_lines=1000", "max_lines=20000")
        _write(
            place.directory,
            {
                "config/smtp.ini": f"{listen}nodes={nodes}\n",
                "config/me": "bench.example\n",
                "config/plugins": "everyone\nqueue/discard\n",
                "config/log.ini": "[main]\nlevel=error\n",
                "config/connection.ini": limits,
            },
        )
        (place.directory / "plugins").mkdir()
        shutil.copy(_SERVERS / "haraka" / "everyone.js", place.directory / "plugins")
        account = _account(_HARAKA / "bin" / "haraka")
        _give(place.directory, account)
        argv = (_which("node"), str(_HARAKA / "bin" / "haraka"), "-c", str(place.directory))
        return Launch(argv, {"YES_REALLY_DO_DISCARD": "1"}, account)

    return prepare


def _postfix(place: Place) -> Launch:
    spool, data = place.directory / "queue", place.directory / "data"
    spool.mkdir()
    data.mkdir()
    _give(data, "postfix")
    values = {"spool": str(spool), "data": str(data), "port": str(place.port)}
    for name in ("main.cf", "master.cf"):
        text = (_SERVERS / "postfix" / name).read_text(encoding="ascii")
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        _write(place.directory, {name: text})
    # makes the queue's directories and checks their owners
    check = subprocess.run(
        (_which("postfix"), "-c", str(place.directory), "check"),
        capture_output=True,
        text=True,
        check=False,
    )
    if check.returncode:
        raise Failed(f"postfix check: {check.stderr.strip()}")
    return Launch((str(_POSTFIX / "master"), "-c", str(place.directory), "-s"), spool=spool)


def _qpsmtpd(place: Place) -> tuple[str, dict[str, str]]:
    """Write what both of Perl's daemons read; returns the account and the environment."""
    spool = place.directory / "spool"
    plugins = place.directory / "plugins"
    for directory in (spool, plugins):
        directory.mkdir()
    spool.chmod(0o700)
    config = place.directory / "config"
    _write(
        config,
        {
            "plugins": "everyone\ndiscard\n",
            "plugin_dirs": f"{plugins}\n",
            "me": "bench.example\n",
            "loglevel": "0\n",
            "logging": "",
            "spool_dir": f"{spool}\n",
            "databytes": "33554432\n",
        },
    )
    for name in ("everyone", "discard"):
        shutil.copy(_SERVERS / "qpsmtpd" / name, plugins)
    account = "qpsmtpd" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    _give(place.directory, account)
    return account, {"QPSMTPD_CONFIG": str(config)}


def _forkserver(place: Place) -> Launch:
    account, environ = _qpsmtpd(place)
    words = f"-l {HOST} -p {place.port} -c 1000 -m 1000 -u {account} -H".split()
    return Launch((_which("qpsmtpd-forkserver"), *words), environ)


def _prefork(place: Place) -> Launch:
    account, environ = _qpsmtpd(place)
    words = (
        f"--interface {HOST} --port {place.port} --user {account} --quiet "
        f"--children {_MANY_PROCESSES + 20} --idle-children 60 --max-from-ip 0"
    ).split()
    return Launch((_which("qpsmtpd-prefork"), *words), environ, detaches=True)


#: the server the ratios are to: a C program that does nothing else
LIMIT: Final = "sink"
#: our server, event loop
OURS: Final = "ours"

PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        Peer(LIMIT, "smtp-sink (C, the limit)", _sink, ("smtp-sink",)),
        Peer(OURS, "qpsmtpd, event loop, 20 handlers", _ours("async"), ("qpsmtpd",)),
        Peer("compiled", "the same, compiled", _ours("async", _COMPILED), (_COMPILED,)),
        Peer("aiosmtpd", "aiosmtpd, uvloop", _aiosmtpd, ()),
        Peer("haraka", "Haraka", _haraka(0), ("node", _HARAKA)),
        Peer("haraka2", "Haraka, 2 nodes", _haraka(2), ("node", _HARAKA), optional=True),
        Peer(
            "postfix",
            "Postfix smtpd, discard",
            _postfix,
            ("postfix", _POSTFIX / "master"),
            sessions=_MANY_PROCESSES,
            root=True,
        ),
        Peer(
            "forkserver",
            "qpsmtpd (Perl), forkserver",
            _forkserver,
            ("qpsmtpd-forkserver",),
            sessions=_MANY_PROCESSES,
        ),
        Peer(
            "prefork",
            "qpsmtpd (Perl), prefork",
            _prefork,
            ("qpsmtpd-prefork",),
            sessions=_MANY_PROCESSES,
        ),
    )
}
