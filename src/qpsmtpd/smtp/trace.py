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
    if line:
        line = trace.tidy(line)
    else:
        recipients = transaction.recipients
        only = recipients[0].format() if len(recipients) == 1 else ""
        line = trace.received_from(_lead(session, transaction), transaction.id, only)
    found = connection.notes.get("authentication_results", "")
    state = connection.authenticated
    if not found and state is None:
        results = settings.no_results
    else:
        results = trace.authentication_results(
            settings.auth_results_id,
            found,
            authenticated=None if state is None else state is OK,
            mechanism=connection.auth_mechanism,
            user=connection.auth_user,
        )
    trace.add_trace_fields(message.header, line, results, authserv_id=settings.auth_results_id)


def _lead(session: "Session", transaction: "Transaction") -> str:
    """What all Received fields of this client have in common, made once."""
    connection = session.connection
    facts = (
        connection.remote_info,
        connection.hello_host,
        connection.remote_ip,
        connection.hello,
        connection.authenticated,
        connection.tls,
        "smtputf8" in transaction.mail_parameters,
    )
    if session.lead[0] != facts:
        settings = session.settings
        text = trace.received_lead(
            remote_info=connection.remote_info,
            hello_host=connection.hello_host,
            remote_ip=connection.remote_ip,
            me=settings.me,
            version=settings.version,
            protocol=transaction.with_protocol,
            cipher=connection.tls,
        )
        session.lead = facts, text
    return session.lead[1]
