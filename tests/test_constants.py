import pytest

from qpsmtpd import constants
from qpsmtpd.constants import LogLevel, Result, log_level, result


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("OK", 900), ("DENY", 901), ("DENYSOFT", 902), ("DENY_DISCONNECT", 903)),
        *(("DENYHARD", 903), ("DENYSOFT_DISCONNECT", 904), ("DECLINED", 909), ("DONE", 910)),
    ],
)
def test_results_have_the_numbers_of_qpsmtpd(name, number):
    assert getattr(constants, name) == number
    assert result(name) is getattr(constants, name)
    assert result(f" {name.lower()} ") == number
    assert result(str(number)) == number


@pytest.mark.parametrize("text", ["", "1", "9", "90", "OKAY", "905", "DENY,", "-901"])
def test_what_is_no_result(text):
    with pytest.raises(ValueError, match=r"\S"):
        result(text)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("LOGDEBUG", 7), ("LOGINFO", 6), ("LOGNOTICE", 5), ("LOGWARN", 4), ("LOGERROR", 3)),
        *(("LOGCRIT", 2), ("LOGALERT", 1), ("LOGEMERG", 0), ("LOGRADAR", 0)),
    ],
)
def test_log_levels_have_the_numbers_of_qpsmtpd(name, number):
    assert getattr(constants, name) == number
    assert log_level(name) is getattr(constants, name)
    assert log_level(name.removeprefix("LOG").lower()) == number
    assert log_level(str(number)) is LogLevel(number)


@pytest.mark.parametrize("text", ["", "8", "-1", "LOG", "loud"])
def test_what_is_no_log_level(text):
    with pytest.raises(ValueError, match=r"\S"):
        log_level(text)


def test_what_results_mean():
    refusing = {Result.DENY, Result.DENYSOFT, Result.DENY_DISCONNECT, Result.DENYSOFT_DISCONNECT}
    assert {one for one in Result if one.refuses} == refusing
    assert {one for one in Result if one.disconnects} == {
        Result.DENY_DISCONNECT,
        Result.DENYSOFT_DISCONNECT,
    }
    assert {one for one in Result if one.temporary} == {
        Result.DENYSOFT,
        Result.DENYSOFT_DISCONNECT,
    }
