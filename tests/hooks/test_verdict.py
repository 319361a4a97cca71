import pytest

from qpsmtpd.constants import DECLINED, DENY, DENYSOFT, OK
from qpsmtpd.hooks.verdict import PASS, Verdict, read


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (OK, Verdict(OK, (), "p")),
        (None, PASS),
        (901, Verdict(DENY, (), "p")),
        ((DENY,), Verdict(DENY, (), "p")),
        ((902, "no"), Verdict(DENYSOFT, ("no",), "p", ("no",))),
        ((DENY, "a\r\nb", "c"), Verdict(DENY, ("a", "b", "c"), "p", ("a\r\nb", "c"))),
        ((DENY, ""), Verdict(DENY, (), "p", ("",))),
        ((DENY, "a\n"), Verdict(DENY, ("a", ""), "p", ("a\n",))),
        ((OK, 5, "x", None), Verdict(OK, ("x",), "p", (5, "x", None))),
        ((), None),
        ((None, "x"), None),
        (123456, None),
        ("OK", None),
        (True, None),
        ([OK], None),
        (object, None),
    ],
)
def test_what_a_handler_returned_is_normalised(value, verdict):
    assert read(value, "p") == verdict


def test_the_text_of_a_verdict_has_its_lines():
    assert Verdict(DENY, ("a", "b")).text == "a\nb"
    assert (PASS.text, PASS.result) == ("", DECLINED)
