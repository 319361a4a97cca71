import contextlib
import time

import pytest

from qpsmtpd.smtp.argument import ArgumentError, parse

GOOD = [
    ("mail", "FROM:<a@b.c>", "<a@b.c>", {}),
    ("mail", "from:<a@b.c>", "<a@b.c>", {}),
    ("mail", "FROM: <a@b.c> SIZE=1 FOO", "<a@b.c>", {"size": "1", "foo": None}),
    ("mail", "FROM:<a@b.c>\tSIZE=1\t FOO ", "<a@b.c>", {"size": "1", "foo": None}),
    ("mail", "from:a@b.c", "a@b.c", {}),
    ("mail", "from:a@b.c BODY=7BIT X", "a@b.c", {"body": "7BIT", "x": None}),
    ("mail", "from:", "<>", {}),
    ("mail", "from:<>", "<>", {}),
    ("mail", "from:user=name@x.y", "user=name@x.y", {}),
    ("mail", "from:<a b@c.d> X=1", "<a b@c.d>", {"x": "1"}),
    ("mail", 'from:<"a b"@c.d> X=1', '<"a b"@c.d>', {"x": "1"}),
    ("mail", 'from:<"a@b X=1 "@c.d>', '<"a@b X=1 "@c.d>', {}),
    ("mail", 'from:<"a b c"', '<"a b c"', {}),  # the address parser refuses it
    ("mail", 'from:<"a X=1', '<"a X=1', {}),
    ("mail", "from:<a@b.c>x", "<a@b.c>x", {}),
    ("rcpt", "to:postmaster", "postmaster", {}),
    ("rcpt", "TO:<a@b.c> NOTIFY=NEVER", "<a@b.c>", {"notify": "NEVER"}),
]
BAD = [
    ("mail", "", "could not parse your mail from command"),
    ("rcpt", "", "could not parse your rcpt to command"),
    ("mail", "FROM", "Syntax error in command"),
    ("mail", "from <a@b>", "Syntax error in command"),
    ("mail", "TO:<a@b>", "Syntax error in command"),
    ("mail", "from:<a@c d> X=1", "Syntax error in parameters"),
    ("mail", "from:<a@b.c> X=", "Syntax error in parameters"),
    ("mail", "from:<a@b.c> =1", "Syntax error in parameters"),
    ("mail", "from:<a@b.c> X=1=2", "Syntax error in parameters"),
    ("mail", "from:<a@b.c> X=\0", "Syntax error in parameters"),
    ("mail", "from:<a@b.c> SIZE=1 size=2", "Syntax error in parameters"),
    ("rcpt", "to:", "Syntax error in address"),
]


@pytest.mark.parametrize(("verb", "argument", "path", "parameters"), GOOD)
def test_path_and_parameters_are_parted(verb, argument, path, parameters):
    found = parse(verb, argument)
    assert found == (path, parameters)
    assert list(found[1]) == list(parameters)


@pytest.mark.parametrize(("verb", "argument", "text"), BAD)
def test_what_is_outside_the_grammar_is_refused(verb, argument, text):
    with pytest.raises(ArgumentError, match=text):
        parse(verb, argument)


def test_a_parameter_given_twice_is_refused_behind_any_path():
    with pytest.raises(ArgumentError):
        parse("mail", 'from:<"a b"@c.d> SIZE=1 SIZE=2')


def seconds(argument):
    """Return the best of some times to read an argument."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        with contextlib.suppress(ArgumentError):
            parse("mail", argument)
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.parametrize(
    "make",
    [
        lambda size: "from:x" + " X" * (size // 2),
        lambda size: "from:x" + " " * size + "\0",
        lambda size: "from:<a" + '"' * size,
        lambda size: "from:<" + "a@ " * (size // 3),
        lambda size: "from:<a>" + " X" * (size // 2),
    ],
    ids=["parameters", "blanks", "quotes", "hosts", "plain"],
)
def test_reading_takes_linear_time(make):
    # four times the octets, sixteen times the time where it is quadratic
    assert seconds(make(8000)) < 10 * seconds(make(2000)) + 0.001
