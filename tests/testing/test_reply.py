import pytest

from qpsmtpd.testing import Reply
from qpsmtpd.testing.reply import parse


def test_replies_are_cut():
    first, second = parse(b"250-2.1.0 one\r\n250 2.1.0 two\r\n354 go ahead\r\n")
    assert (first.code, first.status, first.lines) == (250, "2.1.0", ("one", "two"))
    assert (second.code, second.status, second.text) == (354, "", "go ahead")
    assert parse(b"") == []


@pytest.mark.parametrize(
    "octets",
    [b"250 one", b"250-one\r\n", b"hello\r\n", b"250-one\r\n251 two\r\n", b"199 x\r\n", b"\r\n"],
)
def test_what_is_no_reply_is_told(octets):
    with pytest.raises(ValueError, match="repl"):
        parse(octets)


def test_a_reply_equals_code_text_and_status():
    [reply] = parse(b"450 4.7.1 come back\r\n")
    assert reply == 450
    assert reply == (450, "come back")
    assert reply == (450, "4.7.1", "come back")
    assert reply == (450, "4.7.1 come back")
    assert reply == Reply(450, ("come back",), "4.7.1")
    assert reply != 451
    assert reply != (450, "come")
    assert reply != (450, "4.7.0", "come back")
    assert reply != Reply(450, ("come back",))
    assert "back" in reply
    assert int(reply) == 450
    assert reply.refused
    assert repr(reply) == "<Reply '450 4.7.1 come back'>"


def test_a_status_of_another_class_is_text():
    [reply] = parse(b"250 5.1.1 is no status here\r\n")
    assert (reply.status, reply.text) == ("", "5.1.1 is no status here")


def test_a_code_alone():
    [reply] = parse(b"250\r\n")
    assert reply == (250, "")
