import re

import pytest

from qpsmtpd import status
from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    OK,
    Result,
)


def test_every_row_has_its_function_and_every_function_its_row():
    functions = set(status.__all__) - {"STATUSES", "Status"}
    assert functions == set(status.STATUSES)
    assert len(functions) == 49


@pytest.mark.parametrize("name", status.STATUSES)
def test_each_function_says_what_its_row_says(name):
    row = status.STATUSES[name]
    function = getattr(status, name)
    result, text = function()
    assert result is row.result
    assert text == f"{row.text} (#{'5' if row.result is DENY else text[-6]}.{row.detail})"
    assert re.fullmatch(r".+ \(#[245]\.[0-7]\.[0-8]\)", text)
    assert function.__name__ == name
    assert row.detail in function.__doc__


@pytest.mark.parametrize(
    ("answer", "result", "text"),
    [
        (status.relaying_denied(), DENY, "Relaying denied (#5.7.1)"),
        (status.no_such_user("nobody here"), DENY, "nobody here (#5.1.1)"),
        (status.no_such_user(""), DENY, "No such user (#5.1.1)"),
        (status.mbox_full(), DENYSOFT, "Mailbox full. (#4.2.2)"),
        (status.mbox_full(None, DENY), DENY, "Mailbox full. (#5.2.2)"),
        (status.addr_rcpt_ok(), OK, "Destination address valid. (#2.1.5)"),
        (status.sys_disk_full(result=OK), OK, "Mail system full. (#2.3.1)"),
        (status.too_many_rcpts(), DENYSOFT, "Too many recipients. (#4.5.3)"),
        (status.addr_bad_from_system("x", DENYSOFT), DENYSOFT, "x (#4.1.8)"),
        (status.addr_dest_ambigous()[:1], DENYSOFT, None),
    ],
)
def test_examples(answer, result, text):
    assert answer[0] is result
    assert answer[1:] == (() if text is None else (text,))


@pytest.mark.parametrize(
    ("result", "digit"),
    [
        *((OK, 2), (DONE, 2), (DECLINED, 4), (DENY, 5), (DENY_DISCONNECT, 5)),
        *((DENYSOFT, 4), (DENYSOFT_DISCONNECT, 4)),
    ],
)
def test_the_class_follows_from_the_result(result, digit):
    assert status.unspecified("x", result) == (result, f"x (#{digit}.0.0)")


def test_every_result_has_a_class():
    assert [status.mbox_full(None, result)[0] for result in Result] == list(Result)
