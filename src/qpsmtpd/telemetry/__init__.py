"""What one process says about its work: log events, and one line about each connection."""

from qpsmtpd.telemetry.escape import escape, mask
from qpsmtpd.telemetry.log import Log, LogEvent
from qpsmtpd.telemetry.summary import summary

__all__ = ["Log", "LogEvent", "escape", "mask", "summary"]
