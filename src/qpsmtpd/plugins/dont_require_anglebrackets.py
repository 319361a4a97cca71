"""dont_require_anglebrackets - take MAIL and RCPT without angle brackets

DESCRIPTION

Some clients send `MAIL FROM:user@example.org` where RFC 5321 §4.1.1.2 asks for
`MAIL FROM:<user@example.org>`. This plugin puts the brackets around the path.

RESULTS

mail_pre, rcpt_pre: `(OK, path)` with brackets added; DECLINED for a path that has them.

NOTES

Takes two off the karma of the connection each time.

SEE ALSO

parse_addr_withhelo, karma
"""

from qpsmtpd.plugin import DECLINED, LOGINFO, OK, Answer, Plugin, Transaction


class DontRequireAnglebrackets(Plugin):
    """Adds brackets."""

    def hook_mail_pre(self, transaction: Transaction, address: str, params: object) -> Answer:
        """Look at the reverse-path."""
        return self.bracket(transaction, address, "MAIL FROM")

    def hook_rcpt_pre(self, transaction: Transaction, address: str, params: object) -> Answer:
        """Look at a forward-path."""
        return self.bracket(transaction, address, "RCPT TO")

    def bracket(self, transaction: Transaction, address: str, command: str) -> Answer:
        """Add what is missing."""
        path = address.strip()
        if path.startswith("<") and path.endswith(">"):
            return DECLINED
        connection = transaction.connection
        self.log(LOGINFO, f"fail, added <> to {command}", connection)
        self.adjust_karma(connection, -2)
        return OK, f"<{path.removeprefix('<').removesuffix('>')}>"
