"""MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3)."""

from typing import TYPE_CHECKING, Final

from qpsmtpd.address import Address
from qpsmtpd.constants import DONE, LOGNOTICE, OK
from qpsmtpd.errors import AddressError
from qpsmtpd.hooks.verdict import PASS, Verdict
from qpsmtpd.smtp.argument import ArgumentError, Envelope, parse
from qpsmtpd.smtp.extension import MAIL_PARAMETERS, RCPT_PARAMETERS
from qpsmtpd.smtp.parser import parsed
from qpsmtpd.smtp.reply import Fixed, fixed
from qpsmtpd.smtp.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["mail", "rcpt"]

_NOT_UTF8: Final = fixed(501, "5.5.2", "Command is not valid UTF-8")
_ASK_FOR_UTF8: Final = fixed(
    553, "5.6.7", "Address has non-ASCII characters and SMTPUTF8 was not asked for"
)
_NO_SENDER: Final = fixed(501, "5.1.7", "could not parse your mail from command")
_NO_RECIPIENT: Final = fixed(501, "5.1.3", "could not parse recipient")
_TOO_BIG: Final = fixed(552, "5.3.4", "Message too big!")
_TOO_MANY: Final = fixed(452, "4.5.3", "Too many recipients")
_TOO_MANY_MESSAGES: Final = fixed(421, "4.5.3", "Too many messages in one session, bye")
_USE_MAIL: Final = fixed(503, "5.5.1", "Use MAIL before RCPT")

_MAIL: Final = State.MAIL
_RCPT: Final = State.RCPT
_NOTES: Final = {"mail": "envelope_from", "rcpt": "envelope_rcpt"}
_PARSERS: Final = {"mail": "mail_parse", "rcpt": "rcpt_parse"}
#: paths the original took for the null reverse-path
_NULL_PATHS: Final = frozenset({"<>", "<#@[]>"})


def _read(session: "Session", verb: str, argument: bytes) -> Envelope | None:
    """Take the argument apart, with a plugin's parser if there is one; None: it was refused."""
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError:
        session.send(_NOT_UTF8)
        return None
    session.connection.notes[_NOTES[verb]] = text
    try:
        if session.chains[_PARSERS[verb]]:
            found = parsed(session, verb, text)
            if found is not None:
                return _from_parser(found)
        return parse(verb, text)
    except ArgumentError as error:
        session.reply(501, "5.5.4", str(error))
        return None


def _from_parser(value: tuple[object, ...]) -> Envelope:
    """Read what a plugin's parser returned: ``(OK, address, "K=V", …)`` or ``(other, text)``."""
    code, *rest = value or (None,)
    if code is not OK or not rest:
        raise ArgumentError(str(rest[0]) if rest else "Syntax error in command")
    parameters: dict[str, str | None] = {}
    for word in rest[1:]:
        name, equals, setting = str(word).partition("=")
        parameters[name.lower()] = setting if equals else None
    return str(rest[0]), parameters


def _changed(
    session: "Session", verb: str, transaction: "Transaction", envelope: Envelope
) -> "Script[str]":
    """Let ``mail_pre`` or ``rcpt_pre`` change the path."""
    verdict = session.ask(verb + "_pre", transaction, *envelope) or (yield session.call)
    return verdict.text if verdict.result is OK and verdict.lines else envelope[0]


def _parsed(session: "Session", path: str, refusal: Fixed) -> Address | None:
    """Parse a path that is not plain; None: it was refused."""
    transaction = session.transaction
    utf8 = transaction is not None and "smtputf8" in transaction.mail_parameters
    if refusal is _NO_SENDER and (path in _NULL_PATHS or "[undefined]" in path):
        return Address()
    try:
        address = Address.parse(path, smtputf8=utf8)
    except AddressError:
        session.send(refusal if utf8 or path.isascii() else _ASK_FOR_UTF8)
        return None
    if address.is_null and refusal is not _NO_SENDER:
        session.send(refusal)
        return None
    return address


def _objects(session: "Session", verb: str, parameters: "Mapping[str, str | None]") -> bool:
    """Refuse parameters that are unknown or malformed."""
    table = MAIL_PARAMETERS if verb == "mail" else RCPT_PARAMETERS
    offered = session.connection.notes.get("capabilities", ())
    objection = session.settings.extensions.objection(parameters, table, offered)
    if objection is None:
        return False
    session.send(objection)
    return True


def mail(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve MAIL: begin a transaction, whatever was before."""
    settings = session.settings
    if session.transaction is not None:
        yield from session.reset()
    if 0 < settings.max_messages <= session.messages:
        session.send(_TOO_MANY_MESSAGES)
        return True
    envelope = _read(session, "mail", argument)
    if envelope is None:
        return False
    path, parameters = envelope
    if parameters and _objects(session, "mail", parameters):
        return False
    transaction = session.begin()
    transaction.mail_parameters = parameters
    if session.chains["mail_pre"]:
        path = yield from _changed(session, "mail", transaction, envelope)
    sender = Address.plain(path) or _parsed(session, path, _NO_SENDER)
    if sender is not None and parameters and _too_big(parameters, settings.databytes):
        session.send(_TOO_BIG)
        sender = None
    if sender is None:
        yield from session.reset()
        return False
    verdict = session.ask("mail", transaction, sender, parameters) or (yield session.call)
    if verdict is not PASS and verdict.result.refuses:
        close = _refuse(session, "mail from", verdict, sender)
        yield from session.reset()
        return close
    transaction.sender = sender
    session.state = _MAIL
    if verdict.result is not DONE:
        text = f"{sender.format()}, sender OK - how exciting to get mail from you!"
        session.reply(250, "2.1.0", text)
    return False


def _too_big(parameters: "Mapping[str, str | None]", databytes: int) -> bool:
    """Tell whether the client says its message is over the limit (RFC 1870 §6.1)."""
    return 0 < databytes < int(parameters.get("size") or 0)


def _refuse(session: "Session", command: str, verdict: Verdict, address: Address) -> bool:
    """Refuse an address, and log it in the words log tools look for; returns True to close."""
    hook = command.partition(" ")[0]
    answer = session.answer(hook, verdict, address=address.format())
    if session.connection.logger.threshold >= LOGNOTICE:
        soft = "denysoft" if answer.code < 500 else "deny"
        why = verdict.text or answer.text.replace("{address}", address.format())
        text = f"{soft} {command} {address.format()} ({why})"
        session.notice(text, verdict="refused")
    return answer.close


def rcpt(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve RCPT: a recipient is taken only if a plugin says OK."""
    envelope = _read(session, "rcpt", argument)
    if envelope is None:
        return False
    transaction = session.transaction
    if transaction is None or transaction.sender is None:
        session.send(_USE_MAIL)
        return False
    path, parameters = envelope
    if parameters and _objects(session, "rcpt", parameters):
        return False
    if 0 < session.settings.max_recipients <= len(transaction.recipients):
        session.send(_TOO_MANY)
        return False
    if session.chains["rcpt_pre"]:
        path = yield from _changed(session, "rcpt", transaction, envelope)
    recipient = Address.plain(path) or _parsed(session, path, _NO_RECIPIENT)
    if recipient is None:
        return False
    verdict = session.ask("rcpt", transaction, recipient, parameters) or (yield session.call)
    if verdict is PASS or verdict.result.refuses:
        return _refuse(session, "rcpt to", verdict, recipient)
    if verdict.result is OK:
        transaction.recipients.append(recipient)
        if parameters:
            transaction.rcpt_parameters[recipient] = parameters
        session.state = _RCPT
        session.reply(250, "2.1.5", f"{recipient.format()}, recipient ok")
    return False
