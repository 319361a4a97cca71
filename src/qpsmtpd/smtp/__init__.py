"""The protocol: bytes in, bytes and hook calls out; no I/O, no clock, no threads."""

from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.session import Session
from qpsmtpd.smtp.settings import SessionSettings
from qpsmtpd.smtp.state import CLOSED, FLUSH, NEED_DATA, State
from qpsmtpd.smtp.transaction import Transaction

__all__ = [
    "CLOSED",
    "FLUSH",
    "NEED_DATA",
    "Connection",
    "Session",
    "SessionSettings",
    "State",
    "Transaction",
]
