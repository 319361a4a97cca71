from qpsmtpd.telemetry import summary


def test_each_verb_stands_with_its_number_in_the_order_of_first_use():
    assert summary({"ehlo": 1, "mail": 2, "quit": 1}, {}) == "ehlo=1 mail=2 quit=1"


def test_what_was_refused_shows_behind_a_slash():
    assert summary({"rcpt": 3, "data": 1}, {"rcpt": 2, "data": 1}) == "rcpt=1/3 data=0/1"


def test_a_client_that_said_nothing_has_an_empty_line():
    assert summary({}, {}) == ""
