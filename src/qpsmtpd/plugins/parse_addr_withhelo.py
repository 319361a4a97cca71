"""parse_addr_withhelo - hold clients that say HELO to the grammar of RFC 821

DESCRIPTION

HELO means SMTP without extensions, hence MAIL and RCPT without parameters. Clients that said EHLO
are not concerned. A path may come without angle brackets, which dont_require_anglebrackets then
adds.

RESULTS

mail_parse, rcpt_parse: `(OK, function)` for clients that said HELO, DECLINED for others. The
function refuses with 501 and `No parameters allowed in MAIL`, `No parameters allowed in RCPT`,
`Syntax error in command`, `Could not parse your MAIL FROM command`, or
`Could not parse your RCPT TO command`.

SEE ALSO

dont_require_anglebrackets
"""

from collections.abc import Callable

from qpsmtpd.plugin import DECLINED, DENY, OK, Connection, Plugin, Result

_WORDS = {"mail": "from:", "rcpt": "to:"}
_LOCAL = frozenset({"postmaster", "abuse"})

#: takes the command and what follows it; returns OK and the path, or DENY and a text
Parser = Callable[[str, str], tuple[Result, str]]


class ParseAddrWithhelo(Plugin):
    """Supplies a stricter parser."""

    def hook_mail_parse(self, connection: Connection, line: str) -> Result | tuple[Result, Parser]:
        """Parse MAIL after HELO."""
        return (OK, parse) if connection.hello == "helo" else DECLINED

    def hook_rcpt_parse(self, connection: Connection, line: str) -> Result | tuple[Result, Parser]:
        """Parse RCPT after HELO."""
        return (OK, parse) if connection.hello == "helo" else DECLINED


def parse(command: str, line: str) -> tuple[Result, str]:
    """Take the argument of MAIL or RCPT apart.

    Args:
        command: ``mail`` or ``rcpt``.
        line: what stood behind it.

    Returns:
        OK and the path, or DENY and what is wrong.
    """
    command = command.lower()
    word = _WORDS[command]
    if line[: len(word)].lower() != word:
        return DENY, "Syntax error in command"
    path = line[len(word) :].strip()
    if path.startswith("<") and ">" in path:
        end = path.rindex(">") + 1
        if path[end:].strip():
            return DENY, f"No parameters allowed in {command.upper()}"
        return OK, path[:end]
    if "@" in path:
        if len(path.rpartition("@")[2].split()) > 1:
            return DENY, f"No parameters allowed in {command.upper()}"
        return OK, path
    if command == "mail":
        return (OK, "<>") if not path else (DENY, "Could not parse your MAIL FROM command")
    if path.lower() in _LOCAL:
        return OK, f"<{path}>"
    return DENY, "Could not parse your RCPT TO command"
