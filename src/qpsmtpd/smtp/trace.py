"""What a session knows, written into the trace fields of its message."""

from typing import TYPE_CHECKING

from qpsmtpd.constants import OK
from qpsmtpd.message import trace

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["add_trace_fields"]


def add_trace_fields(session: "Session", transaction: "Transaction", line: str = "") -> None:
    """Add Received and Authentication-Results (RFC 5321 §4.4, RFC 8601).

    Args:
        session: the session.
        transaction: whose message is complete.
        line: value of Received by a plugin; "" for our own.

    Raises:
        StorageError: the header cannot be read back from the spool.
    """
    connection, settings, message = session.connection, session.settings, transaction.message
    if message is None:
        return
    recipients = transaction.recipients
    value = line or trace.received(
        remote_info=connection.remote_info,
        hello_host=connection.hello_host,
        remote_ip=connection.remote_ip,
        me=settings.me,
        version=settings.version,
        protocol=connection.with_protocol,
        cipher=connection.tls,
        transaction_id=transaction.id,
        recipient=recipients[0].format() if len(recipients) == 1 else "",
    )
    state = connection.authenticated
    results = trace.authentication_results(
        settings.auth_results_id,
        connection.notes.get("authentication_results", ()),
        authenticated=None if state is None else state is OK,
        mechanism=connection.auth_mechanism,
        user=connection.auth_user,
    )
    trace.add_trace_fields(message.header, value, results, authserv_id=settings.auth_results_id)
