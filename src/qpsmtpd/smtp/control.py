"""Commands that move no mail: RSET, NOOP, VRFY, EXPN, HELP, QUIT, and the unknown ones."""

from typing import TYPE_CHECKING, Final

from qpsmtpd.constants import DENY
from qpsmtpd.smtp.reply import fixed

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script

__all__ = ["expn", "foreign", "help_", "noop", "quit_", "rset", "unrecognized", "vrfy"]

_OK: Final = fixed(250, "2.0.0", "OK")
_NO_ARGUMENT: Final = fixed(501, "5.5.4", "Syntax error (no parameters allowed)")
_NO_EXPN: Final = fixed(502, "5.5.1", "EXPN is not implemented")
_FOREIGN: Final = fixed(421, "4.7.0", "This is an SMTP server, bye")


def _text(argument: bytes) -> str:
    return argument.decode("utf-8", "replace")


def rset(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve RSET (RFC 5321 §4.1.1.5)."""
    if argument:
        session.send(_NO_ARGUMENT)
        return False
    yield from session.reset()
    session.send(_OK)
    return False


def noop(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve NOOP (§4.1.1.9)."""
    verdict = session.ask("noop", session.connection, _text(argument)) or (yield session.call)
    return session.answer("noop", verdict).close


def vrfy(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve VRFY (§4.1.1.6)."""
    verdict = session.ask("vrfy", session.connection, _text(argument)) or (yield session.call)
    answer = session.answer("vrfy", verdict)
    if verdict.result is DENY:
        yield from session.reset()
    return answer.close


def expn(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Refuse EXPN (§4.1.1.7): lists are nobody's business, and no hook expands them."""
    session.send(_NO_EXPN)
    yield from ()
    return False


def help_(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve HELP (§4.1.1.8)."""
    verdict = session.ask("help", session.connection, _text(argument)) or (yield session.call)
    version = session.settings.version
    return session.answer("help", verdict, version=f" {version}" if version else "").close


def quit_(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve QUIT (§4.1.1.10)."""
    verdict = session.ask("quit", session.connection) or (yield session.call)
    session.answer("quit", verdict, me=session.settings.me)
    return True


def unrecognized(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve what is no command of ours: a plugin may know it."""
    verdict = session.ask(
        "unrecognized_command", session.connection, _text(verb).lower(), _text(argument)
    ) or (yield session.call)
    return session.answer("unrecognized_command", verdict).close


def foreign(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """End a session in which the client speaks another protocol, as browsers can be made to."""
    session.notice(f"client speaks another protocol: {_text(verb)}")
    session.send(_FOREIGN)
    yield from ()
    return True
