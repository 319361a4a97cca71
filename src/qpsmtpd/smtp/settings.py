"""What a session has to know of the configuration: one value for many sessions."""

from qpsmtpd.message import Storage
from qpsmtpd.message.trace import authentication_results
from qpsmtpd.smtp.extension import Extensions

__all__ = ["SessionSettings"]


class SessionSettings:
    """Settings of a session, fixed while it lasts; times in seconds, sizes in octets.

    A limit of 0 means that there is none.
    """

    __slots__ = (
        "auth_results_id",
        "bare_newline",
        "command_timeout",
        "data_min_rate",
        "data_timeout",
        "databytes",
        "enhanced_status_codes",
        "extensions",
        "greeting",
        "max_bad_recipients",
        "max_errors",
        "max_header",
        "max_header_fields",
        "max_junk",
        "max_line",
        "max_messages",
        "max_recipients",
        "max_text_line",
        "me",
        "no_results",
        "proxy_timeout",
        "session_timeout",
        "storage",
        "version",
    )

    def __init__(
        self,
        *,
        me: str = "localhost",
        greeting: str = "",
        version: str = "",
        databytes: int = 0,
        command_timeout: float = 1200,
        data_timeout: float = 1200,
        data_min_rate: int = 100,
        session_timeout: float = 0,
        max_line: int = 1000,
        max_text_line: int = 65536,
        max_header: int = 262144,
        max_header_fields: int = 1000,
        max_recipients: int = 1000,
        max_bad_recipients: int = 100,
        max_errors: int = 10,
        max_junk: int = 100,
        max_messages: int = 0,
        bare_newline: str = "reject",
        enhanced_status_codes: bool = True,
        disabled_extensions: frozenset[str] = frozenset(),
        auth_results_id: str = "",
        storage: Storage | None = None,
    ) -> None:
        """Collect settings.

        Args:
            me: name of this host in replies and trace fields.
            greeting: text of the greeting; "" for the original's.
            version: shown in greeting, HELP and Received; "" to keep it to ourselves.
            databytes: largest message taken (RFC 1870).
            command_timeout: how long a client may take for a command line.
            data_timeout: how long it may take to begin with, and to end, a message.
            data_min_rate: octets a second below which a message is cut off.
            session_timeout: how long a session may last.
            max_line: octets in a command line, CRLF included (RFC 5321 §4.5.3.1.4).
            max_text_line: octets in a line of a message (§4.5.3.1.6).
            max_header: octets in the header section.
            max_header_fields: fields in the header section.
            max_recipients: recipients of one message (§4.5.3.1.8).
            max_bad_recipients: refused recipients before the session ends.
            max_errors: errors before the session ends.
            max_junk: commands that bring no mail nearer before the session ends.
            max_messages: messages in one session (RFC 9422 MAILMAX).
            bare_newline: ``reject``, ``normalize`` or ``accept`` a CR or LF alone.
            enhanced_status_codes: use RFC 2034 once the client has said EHLO.
            disabled_extensions: EHLO keywords not to offer.
            auth_results_id: authserv-id (RFC 8601 §2.5); "none" adds no field, "" means me.
            storage: where content is kept.
        """
        self.me = me
        self.version = version
        words = greeting or (
            f"{me} ESMTP qpsmtpd{' ' + version if version else ''} ready; "
            "send us your mail, but not your spam."
        )
        self.greeting = words if "ESMTP" in words else f"{words} ESMTP"
        self.databytes = databytes
        self.command_timeout = command_timeout
        self.data_timeout = data_timeout
        self.data_min_rate = data_min_rate
        self.session_timeout = session_timeout
        self.max_line = max_line
        self.max_text_line = max_text_line
        self.max_header = max_header
        self.max_header_fields = max_header_fields
        self.max_recipients = max_recipients
        self.max_bad_recipients = max_bad_recipients
        self.max_errors = max_errors
        self.max_junk = max_junk
        self.max_messages = max_messages
        self.bare_newline = bare_newline
        self.enhanced_status_codes = enhanced_status_codes
        self.auth_results_id = auth_results_id or me
        #: value of Authentication-Results where nothing was tried
        self.no_results = authentication_results(self.auth_results_id)
        self.storage = storage or Storage()
        self.proxy_timeout = 5.0
        disabled = disabled_extensions
        if not enhanced_status_codes:
            disabled |= {"ENHANCEDSTATUSCODES"}
        self.extensions = Extensions(databytes, max_recipients, max_messages, disabled)
