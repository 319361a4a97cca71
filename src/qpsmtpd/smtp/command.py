"""The command table: which procedure serves a verb, and when it is refused out of sequence.

Rule: a verb is known here or it is not known. Everything else runs ``unrecognized_command``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from qpsmtpd.smtp import content, control, envelope, hello, xclient
from qpsmtpd.smtp.reply import Fixed, fixed
from qpsmtpd.smtp.state import Script, State

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session

__all__ = ["COMMANDS", "UNRECOGNIZED", "Command"]

#: takes the session, the verb and the argument as sent; True ends the session
Procedure = Callable[["Session", bytes, bytes], Script[bool]]

_HELLO_FIRST: Final = fixed(503, "5.5.1", "please say hello first ...")
_CHUNKS_FIRST: Final = fixed(503, "5.5.1", "finish the message with BDAT LAST, or say RSET")
_NOT_NOW: Final = fixed(503, "5.5.1", "not during a mail transaction")

_ANY: Final[Mapping[State, Fixed]] = {}
_NO_CHUNKS: Final = {State.BDAT: _CHUNKS_FIRST}
_GREETED: Final = {State.HELLO: _HELLO_FIRST, State.BDAT: _CHUNKS_FIRST}
_NO_TRANSACTION: Final = {
    State.MAIL: _NOT_NOW,
    State.RCPT: _NOT_NOW,
    State.BDAT: _CHUNKS_FIRST,
}


class Command(NamedTuple):
    """One row of the table."""

    name: str  #: the verb in lower case, for counters and logs
    procedure: Procedure
    refused: Mapping[State, Fixed]  #: the reply in states where it is out of sequence
    junk: bool  #: it brings no mail nearer
    rfc: str


_JUNK: Final = frozenset({"noop", "rset", "vrfy", "expn", "help", "helo", "ehlo", "lhlo"})


def _row(name: str, procedure: Procedure, refused: Mapping[State, Fixed], rfc: str) -> Command:
    return Command(name, procedure, refused, name in _JUNK, rfc)


def _rows(*rows: Command) -> dict[bytes, Command]:
    return {row.name.upper().encode(): row for row in rows}


COMMANDS: Final = _rows(
    _row("helo", hello.helo, _NO_CHUNKS, "RFC 5321 §4.1.1.1"),
    _row("ehlo", hello.ehlo, _NO_CHUNKS, "RFC 5321 §4.1.1.1"),
    _row("lhlo", hello.lhlo, _NO_CHUNKS, "RFC 2033 §4.1"),
    _row("mail", envelope.mail, _GREETED, "RFC 5321 §4.1.1.2"),
    _row("rcpt", envelope.rcpt, _NO_CHUNKS, "RFC 5321 §4.1.1.3"),
    _row("data", content.data, _NO_CHUNKS, "RFC 5321 §4.1.1.4"),
    _row("bdat", content.bdat, _ANY, "RFC 3030 §2"),
    _row("rset", control.rset, _ANY, "RFC 5321 §4.1.1.5"),
    _row("vrfy", control.vrfy, _ANY, "RFC 5321 §4.1.1.6"),
    _row("expn", control.expn, _ANY, "RFC 5321 §4.1.1.7"),
    _row("help", control.help_, _ANY, "RFC 5321 §4.1.1.8"),
    _row("noop", control.noop, _ANY, "RFC 5321 §4.1.1.9"),
    _row("quit", control.quit_, _ANY, "RFC 5321 §4.1.1.10"),
    # their back ends come with the plugins auth/* and tls; until then nobody offers them
    _row("auth", control.unrecognized, _ANY, "RFC 4954"),
    _row("starttls", control.unrecognized, _ANY, "RFC 3207"),
    _row("xclient", xclient.xclient, _NO_TRANSACTION, "Postfix XCLIENT_README"),
    _row("xforward", xclient.xforward, _NO_TRANSACTION, "Postfix XFORWARD_README"),
    # verbs of other protocols: a browser can be made to send mail by a form
    _row("get", control.foreign, _ANY, "RFC 9110 §9.3"),
    _row("post", control.foreign, _ANY, "RFC 9110 §9.3"),
    _row("put", control.foreign, _ANY, "RFC 9110 §9.3"),
    _row("connect", control.foreign, _ANY, "RFC 9110 §9.3"),
)

UNRECOGNIZED: Final = _row("unknown", control.unrecognized, _ANY, "RFC 5321 §4.2.4")
