import inspect
import io
import json
import os
import sys
import threading

import pytest

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    LOGCRIT,
    LOGDEBUG,
    LOGERROR,
    LOGINFO,
    LOGNOTICE,
    LOGWARN,
    OK,
)
from qpsmtpd.logger import Logger
from qpsmtpd.telemetry.log import Log, LogEvent


class Client:
    id = "c1"
    remote_ip = "192.0.2.1"
    transaction = None


class Message:
    id = "c1.2"


class Writer:
    """Keeps events, and answers what it is told to."""

    name = "logging::writer"

    def __init__(self, answer=None, wanted=None):
        self.answer = answer
        self.events = []
        if wanted is not None:
            self.log_level_wanted = wanted

    def write(self, event):
        self.events.append(event.text)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def stream():
    return io.StringIO()


def lines(stream):
    return stream.getvalue().splitlines()


def test_log_is_a_logger(stream):
    wanted = inspect.signature(Logger.log)
    assert inspect.signature(Log.log).parameters.keys() == wanted.parameters.keys()
    assert Log(LOGWARN, stream).threshold == LOGWARN


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ({"plugin": "relay", "hook": "rcpt"}, "{pid} (rcpt) relay: text"),
        ({"plugin": "relay"}, "{pid} relay: text"),
        ({"hook": "rcpt"}, "{pid} (rcpt) running plugin: text"),
        ({}, "{pid} text"),
    ],
)
def test_the_built_in_line(stream, who, line):
    Log(LOGWARN, stream).log(LOGWARN, "text", **who)
    assert lines(stream) == [line.format(pid=os.getpid())]


def test_levels_above_the_threshold_are_not_written(stream):
    log = Log(LOGWARN, stream)
    log.log(LOGNOTICE, "quiet")
    log.log(LOGWARN, "loud")
    assert lines(stream) == [f"{os.getpid()} loud"]


def test_one_event_is_one_line(stream):
    Log(LOGWARN, stream).log(LOGWARN, "a\r\n1 forged line\x1b")
    assert lines(stream) == [f"{os.getpid()} a\\x0d\\x0a1 forged line\\x1b"]


def test_the_built_in_line_may_be_json(stream, capsys):
    def broken(event):
        raise OSError("full")

    log = Log(LOGWARN, stream, form="json")
    log.log(LOGWARN, "text\n", plugin="relay", hook="rcpt", karma=-2)
    log.log(LOGNOTICE, "quiet")
    found = [json.loads(line) for line in lines(stream)]
    assert [event.pop("time")[-1] for event in found] == ["Z"]
    known = {"level": "LOGWARN", "pid": os.getpid(), "plugin": "relay", "hook": "rcpt"}
    assert found == [{**known, "text": "text\\x0a", "karma": -2}]
    log.writers = [broken]
    log.log(LOGERROR, "text")
    complaint = json.loads(capsys.readouterr().err)
    assert complaint["level"] == "LOGCRIT"
    assert complaint["text"].endswith("broken]: full")


def test_the_built_in_line_goes_to_standard_error_of_the_moment(capsys):
    Log().log(LOGERROR, "hello")
    assert capsys.readouterr().err == f"{os.getpid()} hello\n"


def test_the_level_can_be_changed(stream):
    log = Log(LOGWARN, stream)
    log.level = LOGINFO
    assert (log.level, log.threshold) == (LOGINFO, LOGINFO)
    log.log(LOGINFO, "text")
    assert lines(stream) == [f"{os.getpid()} text"]


@pytest.mark.parametrize("answer", [None, DECLINED, (DECLINED,), OK, (OK, "text"), int(OK)])
def test_a_writer_at_work_turns_the_built_in_line_off(stream, answer):
    writer = Writer(answer)
    log = Log(LOGWARN, stream, [writer.write])
    log.log(LOGERROR, "text")
    assert writer.events == ["text"]
    assert lines(stream) == []


@pytest.mark.parametrize("answer", [DENY, (), "words"])
def test_a_writer_that_answers_anything_else_has_not_written(stream, answer):
    log = Log(LOGWARN, stream, [Writer(answer).write])
    log.log(LOGERROR, "text")
    assert lines(stream) == [f"{os.getpid()} text"]


def test_writers_are_asked_until_one_does_not_decline(stream):
    first, second, third = Writer(DECLINED), Writer(OK), Writer()
    log = Log(LOGWARN, stream, [first.write, second.write, third.write])
    log.log(LOGERROR, "text")
    assert (first.events, second.events, third.events) == (["text"], ["text"], [])


def test_a_refusal_after_another_writer_has_written_is_fine(stream):
    log = Log(LOGWARN, stream, [Writer(DECLINED).write, Writer(DENY).write])
    log.log(LOGERROR, "text")
    assert lines(stream) == []


def test_a_writer_that_raises_is_named_once_and_others_go_on(stream, capsys):
    broken, good = Writer(ValueError("disk\nfull")), Writer()
    log = Log(LOGWARN, stream, [broken.write, good.write])
    log.log(LOGERROR, "one")
    log.log(LOGERROR, "two")
    complaint = f"{os.getpid()} FATAL PLUGIN ERROR [logging::writer]: disk\\x0afull\n"
    assert capsys.readouterr().err == complaint
    assert good.events == ["one", "two"]


def test_with_nothing_but_broken_writers_the_built_in_line_is_back(stream, capsys):
    def broken(event):
        raise RuntimeError

    log = Log(LOGWARN, stream, [broken])
    log.log(LOGERROR, "text")
    log.log(LOGINFO, "too quiet for it")
    assert lines(stream) == [f"{os.getpid()} text"]
    assert "broken]: RuntimeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    [([LOGCRIT], LOGCRIT), ([LOGCRIT, LOGINFO], LOGINFO), ([None, LOGCRIT], LOGDEBUG)],
)
def test_the_threshold_is_what_the_most_curious_writer_wants(stream, wanted, threshold):
    log = Log(LOGWARN, stream)
    log.writers = [Writer(wanted=level).write for level in wanted]
    assert log.threshold == threshold
    log.writers = ()
    assert log.threshold == LOGWARN


def test_a_function_may_say_what_it_wants(stream):
    def write(event):
        return DECLINED

    write.log_level_wanted = LOGCRIT
    log = Log(LOGWARN, stream, [write])
    assert log.writers == (write,)
    assert log.threshold == LOGCRIT


def test_what_a_writer_logs_is_swallowed(stream):
    def write(event):
        seen.append(event.text)
        log.log(LOGCRIT, "from inside")

    seen = []
    log = Log(LOGWARN, stream, [write])
    log.log(LOGERROR, "text")
    log.log(LOGERROR, "again")
    assert seen == ["text", "again"]
    assert lines(stream) == []


def test_another_thread_may_log_meanwhile(stream):
    def write(event):
        seen.append(event.text)
        if event.text == "outer":
            thread = threading.Thread(target=log.log, args=(LOGERROR, "inner"))
            thread.start()
            thread.join()

    seen = []
    log = Log(LOGWARN, stream, [write])
    log.log(LOGERROR, "outer")
    assert seen == ["outer", "inner"]


def test_a_closed_stream_costs_the_line_only(stream):
    log = Log(LOGWARN, stream)
    stream.close()
    log.log(LOGERROR, "text")
    assert stream.closed


def test_a_process_without_standard_error_goes_on(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert Log().log(LOGERROR, "text") is None


def test_an_event_knows_the_connection_and_the_transaction():
    client = Client()
    client.transaction = Message()
    event = LogEvent(LOGWARN, "text", "relay", "rcpt", client, {"karma": -2})
    assert (event.connection_id, event.transaction_id) == ("c1", "c1.2")
    assert event.remote_ip == "192.0.2.1"
    assert repr(event) == f"<LogEvent LOGWARN {event.pid} (rcpt) relay: text>"


def test_an_event_as_plain_values_fits_into_json():
    event = LogEvent(
        LOGWARN,
        "text",
        connection=Client(),
        fields={"error": ValueError("x"), "text": "no", "n": 0, "took": 0.5, "verdict": ""},
    )
    event.time = 1e9 + 0.25
    assert json.loads(event.json) == event.as_dict()
    assert event.as_dict() == {
        "time": "2001-09-09T01:46:40.250000Z",
        "level": "LOGWARN",
        "pid": os.getpid(),
        "connection_id": "c1",
        "remote_ip": "192.0.2.1",
        "text": "text",
        "error": "x",
        "n": 0,
        "took": 0.5,
    }


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_that_json_does_not_have_become_text(value):
    event = LogEvent(LOGWARN, "text", fields={"n": value})
    assert json.loads(event.json)["n"] == str(value)


def test_a_level_that_has_no_name_is_a_number():
    assert LogEvent(9, "text").level_name == "9"
