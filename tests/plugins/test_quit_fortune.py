import sys

import pytest

from qpsmtpd.constants import DECLINED, DONE
from qpsmtpd.hooks.chain import step


@pytest.fixture
def program(tmp_path):
    """Make a program out of lines of Python."""

    def make(code):
        path = tmp_path / "fortune"
        path.write_text(f"#!{sys.executable} -S\nimport sys\n{code}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def talk(connect):
    connection = connect()
    connection.hello = "helo"
    replies = []
    connection.respond_with = lambda code, lines: replies.append((code, *lines))
    return connection, replies


def test_a_saying_goes_with_the_goodbye(load, program, talk):
    connection, replies = talk
    saying = "assert sys.argv[1:] == ['-s']; sys.stdout.buffer.write(b'One\\n\\tTw\\xf6\\n')"
    plugin = load(f"quit_fortune program {program(saying)}")
    assert step(plugin.goodbye(connection)) is DONE
    assert replies == [(221, "mx.example.org closing connection.", "  / One", "  /         Tw?")]


@pytest.mark.parametrize("hello", ["ehlo", "lhlo", ""])
def test_others_get_none(load, program, talk, hello):
    connection, replies = talk
    connection.hello = hello
    plugin = load(f"quit_fortune program {program('print(1)')}")
    assert step(plugin.goodbye(connection)) is DECLINED
    assert replies == []


def test_a_program_that_fails_leaves_the_usual_goodbye(load, program, talk, log):
    connection, replies = talk
    plugin = load(f"quit_fortune program {program('sys.exit(3)')}")
    assert step(plugin.goodbye(connection)) is DECLINED
    assert replies == []
    assert len(log.texts(4)) == 1


def test_a_program_that_vanished_leaves_the_usual_goodbye(load, program, talk, log):
    connection, replies = talk
    path = program("print(1)")
    plugin = load(f"quit_fortune program {path}")
    path.unlink()
    assert step(plugin.goodbye(connection)) is DECLINED
    assert replies == []
    assert len(log.texts(4)) == 1


def test_without_the_program_it_takes_no_part(load, program):
    assert load("quit_fortune program /nowhere/fortune").handlers() == []
    handlers = load(f"quit_fortune program {program('print(1)')}").handlers()
    assert [one.hook.name for one in handlers] == ["quit"]
