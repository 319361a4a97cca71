"""What holds for both ways to run a program."""

import asyncio
import os
import signal
import time

import pytest
import uvloop
from tests.services.running import run_in_task

from qpsmtpd.errors import StorageError
from qpsmtpd.hooks.chain import step
from qpsmtpd.services import process as waiting
from qpsmtpd.services import program as module
from qpsmtpd.services.process import BlockingProcess, Finished, LoopProcess, ProcessError


@pytest.fixture
def process(flavour):
    return BlockingProcess() if flavour == "blocking" else LoopProcess()


@pytest.fixture
def start(process, run, open_descriptors, children):
    """Run a program; afterwards no descriptor and no child is left."""
    before = open_descriptors(), children()

    def started(*arguments, **options):
        return run(process.run(arguments, **options))

    yield started
    assert (open_descriptors(), children()) == before


def shell(script):
    return "sh", "-c", script


def gone(pid):
    """Wait until a process that is not our child has ended."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - the shortest way
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.005)
    return False


def test_exit_code_output_and_errors(start):
    found = start(*shell("echo out; echo err >&2; exit 3"))
    assert found == Finished(3, b"out\n", b"err\n", truncated=False, timed_out=False)


def test_input_is_read_to_its_end(start):
    assert start("cat", input=b"one\ntwo").output == b"one\ntwo"
    assert start("cat").output == b""


def test_blocks_of_input_of_any_size(start):
    blocks = [b"", b"x", b"y" * 300_000, *[b"line\n"] * 5000]
    found = start("cat", input=iter(blocks), limit=1_000_000)
    assert found.output == b"".join(blocks)
    assert found.truncated is False


def test_input_nobody_reads_is_no_error(start):
    assert start("true", input=b"x" * 1_000_000).code == 0
    assert start(*shell("exec 0<&-; echo done"), input=b"x" * 1_000_000).output == b"done\n"


def test_output_is_bounded_and_the_program_goes_on(start):
    found = start(
        *shell("head -c 1000000 /dev/zero; head -c 300000 /dev/zero >&2; exit 4"), limit=1000
    )
    assert found == Finished(4, bytes(1000), bytes(1000), truncated=True, timed_out=False)
    assert start("printf", "1234", limit=4).truncated is False
    assert start("printf", "12345", limit=4)[1:4] == (b"1234", b"", True)


def test_arguments_go_to_no_shell(start):
    assert start("printf", "%s", "$HOME; exit 1").output == b"$HOME; exit 1"


@pytest.mark.parametrize("arguments", ["ls -l", b"ls", []])
def test_a_command_line_is_a_mistake_of_the_caller(process, run, arguments):
    with pytest.raises(TypeError, match="list of arguments"):
        run(process.run(arguments))


def test_environment_and_directory(start, tmp_path):
    found = start(*shell("echo $HERE; pwd"), environment={"HERE": "x"}, directory=str(tmp_path))
    assert found.output == f"x\n{tmp_path}\n".encode()


def test_the_envelope_goes_to_descriptor_one(start):
    script = "exec 3<&1; cat >&2; printf '|' >&2; cat <&3 >&2; exit 31"
    found = start(*shell(script), input=b"message", envelope=b"Fsender\0Trecipient")
    assert found == Finished(31, b"", b"message|Fsender\0Trecipient")


def test_death_by_a_signal_is_a_negative_code(start):
    assert start(*shell("kill -TERM $$")).code == -signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["/no/such/program"], {}),
        (["no-such-program-anywhere"], {}),
        (["/etc/passwd"], {}),
        (["true"], {"directory": "/no/such/directory"}),
        (["true", "nul\0"], {}),
    ],
)
def test_what_cannot_be_started_is_an_error(start, arguments, options):
    with pytest.raises(ProcessError, match="cannot be started") as caught:
        start(*arguments, **options)
    assert (caught.value.code, caught.value.status) == (451, "4.3.0")


def test_at_the_deadline_the_whole_group_is_killed(start):
    started = time.monotonic()
    found = start(*shell("sleep 60 & echo $!; trap '' TERM; sleep 60; true"), timeout=0.1)
    assert time.monotonic() - started < 5
    assert (found.code, found.timed_out) == (-signal.SIGKILL, True)
    assert gone(int(found.output))


def test_a_program_that_reads_nothing_is_killed_at_the_deadline(start):
    found = start("sleep", "60", input=b"x" * 1_000_000, timeout=0.05)
    assert (found.code, found.timed_out) == (-signal.SIGKILL, True)


def test_a_program_that_closes_its_output_is_still_waited_for(start):
    assert start(*shell("exec >&- 2>&-; sleep 0.05; exit 5")).code == 5


def test_what_a_program_leaves_running_keeps_nobody_waiting(start):
    started = time.monotonic()
    found = start(*shell("sleep 60 & echo $!"))
    assert time.monotonic() - started < 5
    assert (found.code, found.timed_out) == (0, False)
    pid = int(found.output)
    assert not os.path.exists(f"/proc/{pid}/nothing")  # noqa: PTH110 - the shortest way
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)


def test_input_that_fails_kills_the_program_and_is_raised(start):
    def blocks():
        yield b"x" * 100_000
        raise StorageError("the spool is gone")

    with pytest.raises(StorageError, match="the spool is gone"):
        start(*shell("cat >/dev/null; sleep 60"), input=blocks())


def test_a_lost_exit_code_is_an_error_and_no_success(start):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ProcessError, match="exit code lost"):
            start("false")
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_without_a_process_descriptor_all_goes_on(start, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    assert start(*shell("cat; exit 3"), input=b"x")[:2] == (3, b"x")
    assert start("sleep", "60", timeout=0.05).timed_out is True


def test_descriptors_of_ours_are_not_inherited(start):
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)  # noqa: FBT003 - the signature of os
    try:
        found = start("ls", "/proc/self/fd").output
    finally:
        os.close(reads)
        os.close(writes)
    assert found == b"0\n1\n2\n3\n"  # the last is that of the directory itself


def test_many_programs_at_once_in_one_loop():
    async def main():
        process = LoopProcess()
        return await asyncio.gather(
            *(process.run(["cat"], input=b"%d" % number) for number in range(20))
        )

    assert [found.output for found in run_in_task(main())] == [b"%d" % n for n in range(20)]


def test_a_caller_that_leaves_takes_the_program_along(tmp_path):
    path = tmp_path / "pid"

    async def main():
        script = f"echo $$ > {path}.new; mv {path}.new {path}; sleep 60; true"
        task = asyncio.ensure_future(LoopProcess().run(shell(script)))
        while not path.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert gone(int(path.read_text()))


def test_uvloop_serves_as_well():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(LoopProcess().run(["cat"], input=iter([b"x" * 200_000]), limit=10))
        assert found == Finished(0, b"x" * 10, b"", truncated=True, timed_out=False)
        found = runner.run(LoopProcess().run(["sleep", "60"], timeout=0.05))
        assert found.timed_out is True


def test_a_signal_handler_that_raises_leaves_nothing_behind(open_descriptors, children):
    class AlarmError(Exception):
        pass

    def ring(*_):
        raise AlarmError

    before = open_descriptors(), children()
    handler = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(AlarmError):
            BlockingProcess().run(["sleep", "60"]).send(None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert (open_descriptors(), children()) == before


def test_what_was_disowned_is_reaped_when_the_next_one_starts(monkeypatch):
    monkeypatch.setattr(module, "_disowned", [])
    abandoned = module.start(["sleep", "60"], b"", None, 10, None, None)
    abandoned.kill()
    abandoned.disown()
    abandoned.close()
    pid = abandoned._child.pid
    assert gone(pid)
    assert module._disowned == [pid]
    step(BlockingProcess().run(["true"]))
    assert module._disowned == []
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_program_that_cannot_be_killed_keeps_nobody_waiting(process, run, monkeypatch):
    monkeypatch.setattr(module, "_disowned", [])
    monkeypatch.setattr(waiting, "_GRACE", 0.05)
    monkeypatch.setattr(module.Program, "kill", lambda self: None)
    found = run(process.run(["sleep", "60"], timeout=0.05))
    assert (found.code, found.timed_out) == (-signal.SIGKILL, True)
    (pid,) = module._disowned
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[0] == pid
    step(BlockingProcess().run(["true"]))
    assert module._disowned == []


def test_a_caller_that_leaves_waits_only_briefly_for_the_kill(monkeypatch):
    monkeypatch.setattr(module, "_disowned", [])
    monkeypatch.setattr(module.Program, "kill", lambda self: None)

    async def main():
        task = asyncio.ensure_future(LoopProcess().run(["sleep", "60"]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (pid,) = module._disowned
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[0] == pid
