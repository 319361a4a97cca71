"""What every test may rely on, and what none may do.

Rules, each held here: a test never leaves the loopback interface; a run leaves no process behind;
a test left out says what it needs; and where everything can be installed (in CI, and as root on
Debian) leaving a test out is a failure.
"""

import contextlib
import ipaddress
import os
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # tests import tests.interop.daemon, bench and so on
CORPORA = ROOT.parent / "shared" / "corpora"

#: marks every process a test starts, through the environment that children inherit
RUN = f"QPSMTPD_TEST_RUN={uuid.uuid4().hex}"

#: seconds that processes get to end by themselves after the last test
PATIENCE = 5.0

_trespasses: list[str] = []
_left_out: dict[str, list[str]] = {}
_left_behind: list[str] = []


# ------------------------------------------------------------------------------ what is missing


def nothing_may_be_missing() -> bool:
    """Tell whether this machine is one on which ``make test`` installs everything."""
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return in_ci or (os.geteuid() == 0 and Path("/etc/debian_version").exists())


def leave_out(reason: str) -> None:
    """End a test that cannot run here: fail where that must not happen, skip elsewhere."""
    if nothing_may_be_missing():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def needs() -> Callable[[str, str], str]:
    """Find a program: ``needs("swaks", "swaks")`` is its path, or the end of the test.

    The second argument is the Debian package. A package named here belongs in tests/servers.txt.
    """

    def find(program: str, package: str) -> str:
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found is None:
            leave_out(f"needs {program} (Debian package {package})")
        return found or ""

    return find


@pytest.fixture(scope="session")
def needs_root() -> None:
    """End the test unless it is run by root."""
    if os.geteuid() != 0:
        leave_out("needs root")


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], Path]:
    """Find a folder of test data: ``corpus("spf-rfc7208")``."""

    def find(name: str) -> Path:
        folder = CORPORA / name
        if not folder.is_dir():
            leave_out(f"needs ../shared/corpora/{name} beside the repository")
        return folder

    return find


# ------------------------------------------------------------------------------------- network


class TrespassError(AssertionError):
    """A test wanted to talk to another machine."""


def is_local(host: object) -> bool:
    """Tell whether an address of a socket call stays on this machine."""
    if host is None or host in {"", b"", "localhost", b"localhost"}:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if text in {socket.gethostname(), "<broadcast>"}:
        return text != "<broadcast>"
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def is_number(host: object) -> bool:
    """Tell whether a host is an address: looking that up asks nobody."""
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def watch_sockets(event: str, arguments: tuple[object, ...]) -> None:
    """Stop what would leave the machine (an audit hook: see ``sys.addaudithook``)."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        if not isinstance(address, tuple) or is_local(address[0]):  # else a Unix socket, or none
            return
        wanted = f"{event} to {address[0]}"
    elif event == "socket.getaddrinfo":
        if is_local(arguments[0]) or is_number(arguments[0]):
            return
        wanted = f"a look-up of {arguments[0]!r}"
    else:
        return
    _trespasses.append(wanted)
    raise TrespassError(f"{wanted}: tests stay on the loopback interface")


@pytest.fixture(autouse=True)
def _stay_on_loopback() -> Iterator[None]:
    """Fail a test that wanted to leave the machine, even if its code hid the error."""
    _trespasses.clear()
    yield
    if _trespasses:
        pytest.fail(f"left the machine: {'; '.join(_trespasses)}", pytrace=False)


@pytest.fixture
def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# ----------------------------------------------------------------------------------- processes


def started_by_tests() -> list[tuple[int, str]]:
    """List the living processes of this run as number and command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            ours = int(status[1]) == os.getpid()
            if not ours:
                ours = RUN.encode() in (entry / "environ").read_bytes().split(b"\0")
            if ours and status[0] != "Z":
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append((pid, words.decode("utf-8", "replace").strip()))
    return [(pid, words) for pid, words in found if "resource_tracker" not in words]


# ---------------------------------------------------------------------------------- the session


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    name, _, value = RUN.partition("=")
    os.environ[name] = value
    sys.addaudithook(watch_sockets)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect tests left out, with their reasons."""
    if report.skipped and not hasattr(report, "wasxfail"):
        note_left_out(report.nodeid, report.longrepr)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Collect whole files left out."""
    if report.skipped:
        note_left_out(report.nodeid, report.longrepr)


def note_left_out(nodeid: str, longrepr: object) -> None:
    """Remember a test left out."""
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    _left_out.setdefault(reason.removeprefix("Skipped: "), []).append(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn what must not be into a failed run."""
    deadline = time.monotonic() + PATIENCE
    while (alive := started_by_tests()) and time.monotonic() < deadline:
        time.sleep(0.05)
    _left_behind.extend(f"{pid}: {words}" for pid, words in alive)
    if _left_behind or (_left_out and nothing_may_be_missing()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out and why, and which processes were left behind."""
    write = terminalreporter.write_line
    if _left_out:
        terminalreporter.section("left out")
        for reason, tests in sorted(_left_out.items()):
            write(f"{reason}: {len(tests)} test{'s'[: len(tests) > 1]}")
            for nodeid in sorted(tests)[:3]:
                write(f"    {nodeid}")
            if len(tests) > 3:
                write(f"    and {len(tests) - 3} more")
        if nothing_may_be_missing():
            write("In CI, and as root on Debian, leaving anything out is a failure.", red=True)
        else:
            write("As root on Debian, make test installs what is missing.")
    if _left_behind:
        terminalreporter.section("left behind")
        for line in _left_behind:
            write(f"still running: {line}", red=True)
