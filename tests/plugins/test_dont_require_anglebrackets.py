import pytest

from qpsmtpd.constants import DECLINED, OK


@pytest.mark.parametrize("hook", ["hook_mail_pre", "hook_rcpt_pre"])
@pytest.mark.parametrize(
    ("address", "path"),
    [("a@b.c", "<a@b.c>"), (" a@b.c ", "<a@b.c>"), ("<a@b.c", "<a@b.c>"), ("", "<>")],
)
def test_brackets_are_added_and_remembered(load, begin, hook, address, path):
    transaction = begin()
    answer = getattr(load("dont_require_anglebrackets"), hook)(transaction, address, {})
    assert answer == (OK, path)
    assert transaction.connection.notes["karma"] == -2


@pytest.mark.parametrize("hook", ["hook_mail_pre", "hook_rcpt_pre"])
@pytest.mark.parametrize("address", ["<a@b.c>", "<>", " <a@b.c> "])
def test_a_path_that_has_them_is_left_alone(load, begin, hook, address):
    transaction = begin()
    answer = getattr(load("dont_require_anglebrackets"), hook)(transaction, address, {})
    assert answer is DECLINED
    assert "karma" not in transaction.connection.notes
