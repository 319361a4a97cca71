"""DATA and BDAT: receiving a message, and what happens when it is complete.

Rule: whatever is wrong with a message, it is read to its true end first, and then answered once.
"""

import re
from typing import TYPE_CHECKING, Final

from qpsmtpd.constants import DECLINED, DONE, LOGALERT, LOGERROR, LOGNOTICE, OK
from qpsmtpd.errors import StorageError
from qpsmtpd.hooks.verdict import PASS, Verdict
from qpsmtpd.message import Message
from qpsmtpd.smtp.data import REJECT, ChunkFilter, DataScanner
from qpsmtpd.smtp.reply import REPLIES, Fixed, fixed
from qpsmtpd.smtp.state import State
from qpsmtpd.smtp.trace import add_trace_fields

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session
    from qpsmtpd.smtp.state import Script
    from qpsmtpd.smtp.transaction import Transaction

__all__ = ["Receiver", "bdat", "data"]

_DATA: Final = State.DATA
_BDAT: Final = State.BDAT

_GO_AHEAD: Final = fixed(354, "", "go ahead")
_NO_ARGUMENT: Final = fixed(501, "5.5.4", "Syntax error (no parameters allowed)")
_USE_BDAT: Final = fixed(503, "5.5.1", "A BINARYMIME message comes by BDAT (RFC 3030 section 3)")
_CHUNK_SYNTAX: Final = fixed(501, "5.5.4", "Syntax: BDAT size [LAST]")
_NO_BDAT: Final = fixed(500, "5.5.1", "Unrecognized command")
_MAIL_FIRST: Final = fixed(503, "5.5.1", "MAIL first")
_RCPT_FIRST: Final = fixed(503, "5.5.1", "RCPT first")

_TOO_BIG: Final = fixed(552, "5.3.4", "Message too big!")
_HEADER_TOO_BIG: Final = fixed(552, "5.3.4", "Header section too big")
_BARE: Final = fixed(
    554, "5.6.0", "Message has a bare CR or LF; a line ends in CRLF (RFC 5321 section 2.3.8)"
)
_LINE_TOO_LONG: Final = fixed(554, "5.6.0", "Message has a line that is too long")
_NO_ROOM: Final = fixed(452, StorageError.status, "Cannot store the message now")

_CHUNK: Final = re.compile(rb"([0-9]{1,20})(?: +(LAST))? *", re.IGNORECASE)
#: shortest field with its line end: so many octets must be there before fields are counted
_SHORTEST_FIELD: Final = 3


class Receiver:
    """Takes content in and holds it to the limits."""

    __slots__ = ("_watching", "chunks", "message", "refusal", "session", "verdict")

    def __init__(self, session: "Session", transaction: "Transaction") -> None:
        self.session = session
        self.message = transaction.message = Message(
            session.settings.storage, verbatim=_is_binary(transaction)
        )
        self.chunks: ChunkFilter | None = None  #: converts what BDAT brings, if that is text
        self.refusal: Fixed | None = None  #: ours, for when the message is complete
        self.verdict = PASS  #: a plugin's, from data or data_headers_end
        self._watching = True  # for the end of the header

    @property
    def refused(self) -> bool:
        """True when content is only read to find its end."""
        return self.refusal is not None or self.verdict is not PASS

    def refuse(self, refusal: Fixed) -> None:
        """Answer *refusal* when the message is complete, and keep nothing of it."""
        if not self.refused:
            self.refusal = refusal
            self.message.close()

    def refuse_by(self, verdict: Verdict) -> None:
        """Answer a plugin's refusal when the message is complete."""
        self.verdict = verdict
        self.message.close()

    def take(self, content: bytes) -> bool:
        """Take content in; returns True when plugins are to be asked about the header."""
        if self.refusal is not None or self.verdict is not PASS:
            return False
        message, settings = self.message, self.session.settings
        size = message.received_size + len(content)
        if size > settings.databytes > 0:
            self.session.connection.log(LOGALERT, f"message has over {settings.databytes} octets")
            self.refuse(_TOO_BIG)
            return False
        try:
            message.append(content)
        except StorageError as error:
            self.fail(error)
            return False
        if not self._watching:
            return False
        if message.header_ended:
            return self._header_ended()
        if size > settings.max_header > 0:
            self.refuse(_HEADER_TOO_BIG)
        return False

    def finish(self) -> bool:
        """The content is complete; returns as ``take`` does."""
        if self.refused:
            return False
        try:
            self.message.finish()
            return self._watching and self._header_ended()
        except StorageError as error:
            self.fail(error)
            return False

    def fail(self, error: StorageError) -> None:
        """The message cannot be stored."""
        self.session.connection.log(LOGERROR, f"cannot store the message: {error}")
        self.refuse(_NO_ROOM)

    def _header_ended(self) -> bool:
        self._watching = False
        size, settings = self.message.body_start, self.session.settings
        if 0 < settings.max_header < size or (
            0 < settings.max_header_fields * _SHORTEST_FIELD < size
            and len(self.message.header) > settings.max_header_fields
        ):
            self.refuse(_HEADER_TOO_BIG)
            return False
        return bool(self.session.chains["data_headers_end"])


def _is_binary(transaction: "Transaction") -> bool:
    parameters = transaction.mail_parameters
    return bool(parameters) and (parameters.get("body") or "").upper() == "BINARYMIME"


def _headers_end(session: "Session", receiver: Receiver) -> "Script[bool]":
    """Let plugins see the header while the client sends; True: the connection ends at once."""
    verdict = session.ask("data_headers_end", session.transaction) or (yield session.call)
    if verdict.result.disconnects:
        session.answer("data_headers_end", verdict)
        return True
    if verdict.result.refuses:
        receiver.refuse_by(verdict)
    return False


def _out_of_sequence(session: "Session") -> Fixed | None:
    transaction = session.transaction
    if transaction is None or transaction.sender is None:
        return _MAIL_FIRST
    return None if transaction.recipients else _RCPT_FIRST


def data(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve DATA (RFC 5321 §4.1.1.4)."""
    transaction = session.transaction
    refusal = _NO_ARGUMENT if argument else _out_of_sequence(session)
    if refusal is not None or transaction is None:
        session.send(refusal or _MAIL_FIRST)
        return False
    if _is_binary(transaction):
        session.send(_USE_BDAT)
        return False
    verdict = session.ask("data", transaction) or (yield session.call)
    if verdict is not PASS and verdict.result.refuses:
        close = session.answer("data", verdict).close
        yield from session.reset()
        return close
    if verdict.result is DONE:
        return False
    receiver = Receiver(session, transaction)
    session.state = _DATA
    session.send(_GO_AHEAD)
    session.steps += 1
    settings = session.settings
    scanner = DataScanner(settings.bare_newline, settings.max_text_line)
    rest: bytes | None = None
    received = 0
    source = session.input
    while rest is None:
        while not source.buffer:
            session.allow(received)
            yield from session.more()
        block = source.take()
        received += len(block)
        content, rest = scanner.scan(block)
        if rest:
            source.put_back(rest)
        if receiver.take(content) and (yield from _headers_end(session, receiver)):
            return True
    session.allow(None)
    if scanner.bare and settings.bare_newline == REJECT:
        receiver.refuse(_BARE)
    if scanner.overlong:
        receiver.refuse(_LINE_TOO_LONG)
    return (yield from _complete(session, transaction, receiver))


def bdat(session: "Session", verb: bytes, argument: bytes) -> "Script[bool]":
    """Serve BDAT (RFC 3030 §2): as many octets as it says follow, whatever we think of them."""
    match = _CHUNK.fullmatch(argument)
    if "CHUNKING" not in session.settings.extensions.keywords or match is None:
        session.send(_CHUNK_SYNTAX if match is None else _NO_BDAT)
        return True  # nobody knows how much of what follows is content
    left, last = int(match[1]), match[2] is not None
    size = left
    transaction, receiver = session.transaction, session.receiver
    if receiver is None and transaction is not None and _out_of_sequence(session) is None:
        verdict = session.ask("data", transaction) or (yield session.call)
        if verdict.result is DONE:
            return True  # the octets that follow are the plugin's; there is no way to go on
        receiver = session.receiver = Receiver(session, transaction)
        if not receiver.message.verbatim:
            settings = session.settings
            receiver.chunks = ChunkFilter(settings.bare_newline, settings.max_text_line)
        if verdict.result.refuses:
            if verdict.result.disconnects:
                return session.answer("data", verdict).close
            receiver.refuse_by(verdict)
    state, session.state = session.state, _DATA
    received = 0
    while left:
        while not session.input.buffer:
            session.allow(received)
            yield from session.more()
        block = session.input.take()
        if len(block) > left:
            session.input.put_back(block[left:])
            block = block[:left]
        left -= len(block)
        received += len(block)
        if receiver is not None and not receiver.refused:
            chunks = receiver.chunks
            content = block if chunks is None else chunks.convert(block)
            if receiver.take(content) and (yield from _headers_end(session, receiver)):
                return True
    session.allow(None)
    if receiver is None or transaction is None:
        session.state = state
        session.send(_out_of_sequence(session) or _MAIL_FIRST)
        return False
    return (yield from _chunk_done(session, transaction, receiver, size, last=last))


def _chunk_done(
    session: "Session", transaction: "Transaction", receiver: Receiver, size: int, *, last: bool
) -> "Script[bool]":
    """Answer one chunk, and the message with the last one."""
    session.state = _BDAT
    if receiver.refused:
        return (yield from _refuse(session, transaction, receiver, last=last))
    if not last:
        session.reply(250, "2.0.0", f"{size} octets received")
        return False
    chunks = receiver.chunks
    if chunks is not None:
        held = chunks.convert(b"", last=True)
        if held and receiver.take(held) and (yield from _headers_end(session, receiver)):
            return True
        if chunks.bare and session.settings.bare_newline == REJECT:
            receiver.refuse(_BARE)
        if chunks.overlong:
            receiver.refuse(_LINE_TOO_LONG)
    return (yield from _complete(session, transaction, receiver))


def _refuse(
    session: "Session", transaction: "Transaction", receiver: Receiver, *, last: bool = True
) -> "Script[bool]":
    """Answer a message that was refused before it was complete.

    LMTP has a reply for each recipient, but one for a chunk that is not the last (RFC 2033 §4.3).
    """
    hook = "data_headers_end" if receiver.message.received_size else "data"
    replies = len(transaction.recipients) if last and transaction.per_recipient else 1
    close = False
    for _ in range(replies):
        if receiver.refusal is not None:
            session.send(receiver.refusal)
        else:
            close = session.answer(hook, receiver.verdict).close
    yield from session.reset()
    return close


def _complete(
    session: "Session", transaction: "Transaction", receiver: Receiver
) -> "Script[bool]":
    """Decide about a whole message, hand it on and answer."""
    if receiver.finish() and (yield from _headers_end(session, receiver)):
        return True
    if receiver.refused:
        return (yield from _refuse(session, transaction, receiver))
    verdict, hook, chains = PASS, "queue", session.chains
    for hook in ("data_post_headers", "data_post", "queue_pre", "queue"):
        verdict = PASS
        if chains[hook]:
            verdict = session.ask(hook, transaction) or (yield session.call)
            if verdict is not PASS and (verdict.result.refuses or verdict.result is DONE):
                break
        if hook == "data_post_headers":
            line = ""
            if chains["received_line"]:
                line = yield from _received_line(session, transaction)
            try:
                add_trace_fields(session, transaction, line)
            except StorageError as error:
                receiver.fail(error)
                return (yield from _refuse(session, transaction, receiver))
    close = _answer(session, transaction, hook, verdict)
    if session.connection.logger.threshold >= LOGNOTICE:
        _report(session, transaction, hook, verdict)
    session.steps += 1
    if hook == "queue":
        if verdict.result is OK:
            session.messages += 1
            session.errors = session.junk = session.bad_recipients = 0
        if chains["queue_post"]:
            late = session.ask("queue_post", transaction) or (yield session.call)
            if late.result not in {OK, DECLINED}:
                session.connection.log(LOGERROR, f"queue_post of {late.plugin}: {late.text}")
    yield from session.reset()
    return close


def _report(session: "Session", transaction: "Transaction", hook: str, verdict: Verdict) -> None:
    """Log what became of a message, in one line."""
    message, sender = transaction.message, transaction.sender
    taken = hook == "queue" and verdict.result is OK
    places = transaction.notes.get("queued_to", ())
    place = "".join(f" -> {path}" for path in ([places] if isinstance(places, str) else places))
    if not taken:
        place = f" ({verdict.plugin or hook}: {verdict.text or verdict.result.name})"
    session.notice(
        f"{'accepted' if taken else 'refused'} message {transaction.id} "
        f"from {sender.format() if sender else '<>'} "
        f"to {' '.join(recipient.format() for recipient in transaction.recipients)}, "
        f"{message.received_size if message else 0} octets{place}",
        verdict="accepted" if taken else "refused",
    )


def _answer(session: "Session", transaction: "Transaction", hook: str, verdict: Verdict) -> bool:
    """Send the final reply: one, or one for each recipient (RFC 2033 §4.2)."""
    if not transaction.per_recipient:
        return session.answer(hook, verdict).close
    close = False
    for recipient in transaction.recipients:
        own = transaction.verdicts.get(recipient)
        if own is None or verdict.result.refuses or verdict.result is DONE:
            close = session.answer(hook, verdict).close
        else:
            cell = REPLIES["queue"][own.result]
            session.reply(cell.code, cell.status, *(own.lines or (cell.text,)))
    return close


def _received_line(session: "Session", transaction: "Transaction") -> "Script[str]":
    """Let a plugin write the Received field; "" for our own."""
    connection = session.connection
    login = ""
    if connection.auth_user:
        login = (
            f"(smtp-auth username {connection.auth_user}, mechanism {connection.auth_mechanism})\n"
        )
    cipher = f"({connection.tls} encrypted)" if connection.tls else ""
    verdict = session.ask(
        "received_line", transaction, transaction.with_protocol, login, cipher
    ) or (yield session.call)
    return verdict.text if verdict.result is OK else ""
