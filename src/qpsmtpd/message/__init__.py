"""What was sent: header and content of a message, stored, edited and read."""

from qpsmtpd.message.header import Field, Header
from qpsmtpd.message.message import Message
from qpsmtpd.message.spool import Spool, Storage

__all__ = ["Field", "Header", "Message", "Spool", "Storage"]
