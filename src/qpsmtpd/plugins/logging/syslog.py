"""logging/syslog - write log lines to the system log

DESCRIPTION

An event goes to syslog(3) with the priority that has its level's number: LOGWARN becomes warning.
`priority` gives one priority to all. Only the text is written; the system log adds time, program
and process.

`logsock` of the original is taken and not needed: the C library finds the socket.

RESULTS

logging: always DECLINED.

SEE ALSO

logging/warn, logging/json
"""

import syslog

from qpsmtpd.plugin import LOGWARN, LogEvent, LogLevel, Plugin

_PRIORITIES = {
    "EMERG": syslog.LOG_EMERG,
    "PANIC": syslog.LOG_EMERG,
    "ALERT": syslog.LOG_ALERT,
    "CRIT": syslog.LOG_CRIT,
    "ERR": syslog.LOG_ERR,
    "ERROR": syslog.LOG_ERR,
    "WARNING": syslog.LOG_WARNING,
    "WARN": syslog.LOG_WARNING,
    "NOTICE": syslog.LOG_NOTICE,
    "INFO": syslog.LOG_INFO,
    "DEBUG": syslog.LOG_DEBUG,
}
_FACILITIES = {
    name: getattr(syslog, f"LOG_{name}")
    for name in (
        *("KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON"),
        *(f"LOCAL{number}" for number in range(8)),
    )
}


def _bare(name: str) -> str:
    return name.upper().removeprefix("LOG_").removeprefix("LOG")


class Syslog(Plugin):
    """Writes to the system log."""

    args: "Syslog.Args"

    class Args:
        loglevel: LogLevel = LOGWARN  #: least urgent level to write
        priority: str = ""  #: one priority for every event, as `LOG_INFO`
        ident: str = "qpsmtpd"  #: name of the program in the log
        facility: str = "LOG_MAIL"  #: facility, as `LOG_MAIL` or `LOG_LOCAL0`
        logsock: str = ""  #: not needed any more

        def check(self) -> None:
            """Look the names up."""
            if self.priority and _bare(self.priority) not in _PRIORITIES:
                raise ValueError(f"{self.priority!r} is no syslog priority, as LOG_INFO is")
            if _bare(self.facility) not in _FACILITIES:
                raise ValueError(f"{self.facility!r} is no syslog facility, as LOG_MAIL is")

    def register(self) -> None:
        """Open the log."""
        self.log_level_wanted = self.args.loglevel
        self.facility: int = _FACILITIES[_bare(self.args.facility)]
        self.priority = _PRIORITIES.get(_bare(self.args.priority))
        syslog.openlog(self.args.ident, syslog.LOG_PID, self.facility)

    def hook_logging(self, event: LogEvent) -> None:
        """Write one line."""
        if event.level <= self.args.loglevel:
            priority = event.level if self.priority is None else self.priority
            syslog.syslog(priority | self.facility, event.text)
