import pytest

from qpsmtpd.address import Address
from qpsmtpd.constants import DENY
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.transaction import Transaction


def test_a_transaction_has_the_number_of_its_command():
    connection = Connection(connection_id="abc")
    connection.command_counter = 7
    transaction = Transaction(connection)
    connection.command_counter = 9
    assert transaction.id == "abc.7"


def test_what_rcpt_said_is_kept_by_recipient():
    transaction = Transaction(Connection(), Address("a", "b.c"))
    recipient = Address("x", "y.z")
    transaction.rcpt_parameters[recipient] = {"notify": "NEVER"}
    assert transaction.rcpt_parameters == {recipient: {"notify": "NEVER"}}
    assert transaction.sender == "<a@b.c>"


def test_only_lmtp_answers_for_each_recipient():
    recipient = Address("x", "y.z")
    smtp, lmtp = Transaction(Connection()), Transaction(Connection(protocol="LMTP"))
    assert (smtp.per_recipient, lmtp.per_recipient) == (False, True)
    with pytest.raises(ValueError, match="only LMTP"):
        smtp.refuse(recipient, DENY)
    lmtp.refuse(recipient, DENY, "no")
    assert lmtp.verdicts[recipient][:2] == (DENY, ("no",))
