"""HELO, EHLO and LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1)."""

from typing import TYPE_CHECKING

from qpsmtpd.smtp.parser import parsed
from qpsmtpd.smtp.reply import fixed
from qpsmtpd.smtp.state import State

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script

__all__ = ["ehlo", "helo", "lhlo"]

_NO_HOST = {
    verb: fixed(501, "5.5.4", f"{verb} requires domain/address - see RFC-2821 4.1.1.1")
    for verb in ("helo", "ehlo", "lhlo")
}
_NO_EXTENSIONS = fixed(500, "5.5.1", "This is LMTP: say LHLO")
_NOT_LMTP = fixed(500, "5.5.1", "This is not LMTP: say EHLO")


def helo(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve HELO."""
    return (yield from _hello(session, "helo", argument))


def ehlo(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve EHLO."""
    return (yield from _hello(session, "ehlo", argument))


def lhlo(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve LHLO."""
    return (yield from _hello(session, "lhlo", argument))


def _hello(session: "Session", verb: str, argument: bytes) -> "Script[bool]":
    connection, settings = session.connection, session.settings
    lmtp = connection.protocol == "LMTP"
    if lmtp != (verb == "lhlo"):
        session.send(_NO_EXTENSIONS if lmtp else _NOT_LMTP)
        return False
    hook = "helo" if verb == "helo" else "ehlo"
    host = _host(session, hook, argument)
    if not host:
        session.send(_NO_HOST[verb])
        return False
    verdict = session.ask(hook, connection, host) or (yield session.call)
    answer = session.answer(hook, verdict)
    if verdict.result.refuses:
        return answer.close
    # a second hello restarts what depends on the first (RFC 5321 §4.1.4)
    yield from session.reset()
    session.state = State.READY
    connection.hello, connection.hello_host = verb, host
    if answer.code:
        return answer.close
    words = f"{settings.me} Hi {connection.remote_info or 'Unknown'} [{connection.remote_ip}]"
    session.use_enhanced(on=verb != "helo")
    if verb == "helo":
        session.reply(250, "", words + "; I am so happy to meet you.")
        return False
    offered = list(connection.notes.get("capabilities", ()))
    offered += [right.upper() for right in ("xclient", "xforward") if right in connection.rights]
    session.send_raw(settings.extensions.reply(words, offered))
    return False


def _host(session: "Session", hook: str, argument: bytes) -> str:
    """Return what the client says it is: its first word, printable."""
    text = argument.decode("utf-8", "replace")
    match parsed(session, hook, text):
        case (_, found, *_):
            text = str(found)
    word = text.partition(" ")[0][:255]
    if word.isprintable():
        return word
    return "".join(letter if letter.isprintable() else "?" for letter in word)
