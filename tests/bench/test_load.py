"""What bench.load asks smtp-source to do, and how long."""

import stat

import pytest
from bench.load import WORK, Run
from bench.server import Failed

from bench import load


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A stand-in for smtp-source; returns a function that writes its script."""

    def write(script):
        program = tmp_path / "smtp-source"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return write


def options(words):
    """Pairs of an option and what stands behind it."""
    return dict(zip(words, [*words[1:], ""], strict=True))


def test_one_message_per_connection_is_not_reused(source):
    source("")
    words = load.command(WORK["a"], 2525, 300)
    assert "-d" not in words
    assert options(words)["-s"] == "50"
    assert options(words)["-m"] == "300"
    assert options(words)["-l"] == "4096"
    assert words[-1] == "127.0.0.1:2525"


def test_many_messages_per_connection_are(source):
    source("")
    words = load.command(WORK["c"], 25, 40)
    assert "-d" in words
    assert options(words)["-l"] == str(1 << 20)


def test_scaled_work_differs_in_its_dimension_only(source):
    source("")
    assert options(load.command(load.scale("recipients", 100), 25, 1))["-r"] == "100"
    assert "-r" not in load.command(load.scale("recipients", 1), 25, 1)
    assert options(load.command(load.scale("sessions", 100), 25, 1))["-s"] == "100"
    with pytest.raises(KeyError):
        load.scale("colours", 1)


def test_a_header_file_has_as_many_fields_as_asked_for(tmp_path):
    head, _, body = load.header_file(tmp_path, 100).read_text().partition("\n\n")
    assert len(head.splitlines()) == 100
    assert body
    assert all(": " in line for line in head.splitlines())


def test_a_run_counts_messages_and_seconds(source):
    source("exit 0")
    run = load.drive(WORK["a"], 25, 300)
    assert run.messages == 300
    assert run.rate == pytest.approx(300 / run.seconds)


def test_a_refusal_fails_the_run_in_the_servers_words(source):
    source("echo 'smtp-source: fatal: bad reply 550' >&2; exit 1")
    with pytest.raises(Failed, match="bad reply 550"):
        load.drive(WORK["a"], 25, 300)


def test_a_server_that_hangs_fails_the_run(source):
    source("exec sleep 60")
    with pytest.raises(Failed, match="took more than"):
        load.drive(WORK["a"], 25, 300, limit=0.2)


def test_calibration_asks_for_more_until_a_run_is_long_enough_to_tell():
    asked = []

    def run(messages):
        asked.append(messages)
        return Run(messages, messages / 10_000, 0.0)

    assert load.calibrate(run, 100, 2.0) == 20_000
    assert asked == [100, 400, 1600, 6400]


def test_calibration_never_goes_below_the_least():
    assert load.calibrate(lambda messages: Run(messages, 50.0, 0.0), 100, 2.0) == 100
