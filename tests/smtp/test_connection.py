import pytest
from tests.smtp.ways import Log

from qpsmtpd.constants import DENY, LOGINFO, OK
from qpsmtpd.smtp.connection import Connection


@pytest.mark.parametrize(
    ("protocol", "hello", "tls", "login", "name"),
    [
        ("SMTP", "helo", "", None, "SMTP"),
        ("SMTP", "helo", "AES", OK, "SMTP"),
        ("SMTP", "ehlo", "", None, "ESMTP"),
        ("SMTP", "ehlo", "AES", None, "ESMTPS"),
        ("SMTP", "ehlo", "", OK, "ESMTPA"),
        ("SMTP", "ehlo", "", DENY, "ESMTP"),
        ("SMTP", "ehlo", "AES", OK, "ESMTPSA"),
        ("LMTP", "lhlo", "", None, "LMTP"),
        ("LMTP", "lhlo", "AES", OK, "LMTPSA"),
    ],
)
def test_the_protocol_is_named_as_rfc_3848_has_it(protocol, hello, tls, login, name):
    connection = Connection(protocol=protocol)
    connection.hello, connection.tls, connection.authenticated = hello, tls, login
    assert connection.with_protocol == name


def test_a_move_may_be_refused():
    connection = Connection("192.0.2.1", 25)
    assert connection.move("192.0.2.2", 26)
    assert (connection.remote_ip, connection.remote_port) == ("192.0.2.2", 26)
    asked = []
    connection.mover = lambda ip: bool(asked.append(ip))
    assert not connection.move("192.0.2.3", 27)
    assert (asked, connection.remote_ip) == (["192.0.2.3"], "192.0.2.2")


def test_a_host_is_its_own_info():
    assert Connection(remote_host="h").remote_info == "h"
    assert Connection(remote_host="h", remote_info="me@h").remote_info == "me@h"


def test_texts_above_the_threshold_are_dropped():
    log = Log(LOGINFO)
    connection = Connection(logger=log)
    connection.log(LOGINFO, "kept")
    connection.log(LOGINFO + 1, "dropped")
    assert log.texts == ["kept"]
