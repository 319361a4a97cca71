"""The session: bytes in, bytes and hook calls out (RFC 5321, RFC 2033).

Rule: nothing here does I/O, knows the time or waits. A driver feeds what the client sent, asks for
the next event, runs the hook calls it is given and sends what ``data_to_send`` returns, always
before it waits for anything. Each command is a generator; a hook is a ``yield`` in it, so that the
code reads from top to bottom.
"""

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from qpsmtpd.constants import LOGDEBUG, LOGINFO
from qpsmtpd.hooks.chain import Chains, HookCall, run
from qpsmtpd.hooks.verdict import PASS, Verdict
from qpsmtpd.smtp import proxy
from qpsmtpd.smtp.command import COMMANDS, UNRECOGNIZED, Command
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.data import REJECT
from qpsmtpd.smtp.input import Input, MalformedLine
from qpsmtpd.smtp.output import Output
from qpsmtpd.smtp.reply import Fixed, fixed
from qpsmtpd.smtp.settings import SessionSettings
from qpsmtpd.smtp.state import CLOSED, FLUSH, NEED_DATA, Event, Goodbye, Script, State
from qpsmtpd.smtp.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpsmtpd.smtp.content import Receiver

__all__ = ["Session"]

_TIMEOUT: Final = fixed(421, "4.4.2", "Connection Timed Out")
_TOO_LONG: Final = fixed(421, "4.3.2", "Session has lasted too long, bye")
_SHUTDOWN: Final = fixed(421, "4.3.2", "Service shutting down, please try again")
_LINE_TOO_LONG: Final = fixed(500, "5.5.6", "Command line too long")
_BARE: Final = fixed(
    500, "5.5.2", "A line ends in CRLF; this one has a bare CR or LF (RFC 5321 section 2.3.8)"
)
_OVERCROWDED: Final = fixed(421, "4.7.0", "Too many connections from your address, try later")
_TOO_MANY_ERRORS: Final = fixed(421, "4.7.0", "Too many errors, bye")
_TOO_MUCH_JUNK: Final = fixed(421, "4.7.0", "Too many commands that bring no mail, bye")
_READY: Final = State.READY
_OVER: Final = State.CLOSED
#: octets of replies after which the driver is asked to send them before more commands are read
_OUTPUT_MARK: Final = 32768


class Session(Output):
    """One SMTP or LMTP session.

    ``connection`` and ``state`` are for everybody to read; so are ``counts`` and ``refusals``, by
    verb in lower case, for the summary in the log.
    """

    __slots__ = (
        "_results",
        "_script",
        "_stop",
        "call",
        "chains",
        "counts",
        "input",
        "junk",
        "lead",
        "messages",
        "receiver",
        "resume",
        "state",
        "steps",
        "time_limit",
        "watched",
    )

    def __init__(self, connection: Connection, chains: Chains, settings: SessionSettings) -> None:
        super().__init__(connection, settings)
        self.chains = chains
        self.state = State.GREETING
        self.receiver: Receiver | None = None  # of a message that comes in chunks
        self.call: Any = None  #: the hook call that has to wait
        self.lead: tuple[tuple[object, ...], str] = ((), "")  # of Received, and its sources
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.junk = self.messages = 0
        self.steps = 0  #: grows whenever the client has done what it was waited for
        self.time_limit = settings.command_timeout  #: seconds it may take for the next step
        self.input = Input()
        self._stop: Fixed | None = None
        #: handlers that decline are of interest, too
        self.watched = bool(
            chains["ok"] or connection.trace or connection.logger.threshold >= LOGDEBUG
        )
        self._results = 0  # of the connection; those behind are the transaction's
        connection.peek = self.input_pending
        self._script = self._run()
        #: does what ``next_event`` does, for a driver in a hurry
        self.resume: Callable[[Verdict | None], Event] = self._script.send

    # What a driver calls

    def feed(self, data: bytes) -> None:
        """Add octets from the client; empty ones mean that no more will come."""
        self.input.feed(data)

    def next_event(self, verdict: Verdict | None = None) -> Event:
        """Advance as far as the octets at hand allow.

        Args:
            verdict: the answer to the ``HookCall`` returned before; else None.

        Returns:
            ``NEED_DATA``: feed more; ``FLUSH``: send what there is, then ask again; ``CLOSED``:
            the session is over; or a ``HookCall``, whose verdict the next call must bring.
        """
        try:
            return self.resume(verdict)
        except StopIteration:
            return CLOSED

    def timeout(self, *, session: bool = False) -> None:
        """The client took too long; ``next_event`` will say goodbye. Not while a hook runs.

        Args:
            session: it is the whole session that lasted too long, not the wait.
        """
        self._stop = _TOO_LONG if session else _TIMEOUT

    def shutdown(self) -> None:
        """The server stops; say goodbye when no command is being served. Not while a hook runs."""
        if self._stop is None:
            self._stop = _SHUTDOWN

    def abandon(self) -> Event:
        """The client is gone, perhaps while a hook was run: end without the hook's verdict.

        Returns:
            What ``next_event`` returns: the calls of the closing hooks, then ``CLOSED``.
        """
        self.input.ended = True
        if self.state is State.CLOSED:
            return self.next_event(PASS)
        try:
            return self._script.throw(Goodbye())
        except (StopIteration, Goodbye):  # it has ended, or never began
            return CLOSED

    def release(self) -> None:
        """Let go of all that refers back to the session, so that it is freed at once.

        To be called when ``CLOSED`` was returned and nobody needs the session any more.
        """
        self._script.close()
        connection = self.connection
        connection.peek = connection.respond_with = connection.mover = None

    @property
    def stopping(self) -> bool:
        """True when the session was told to end and has not said goodbye yet."""
        return self._stop is not None

    @property
    def interruptible(self) -> bool:
        """True between commands, where ``shutdown`` takes effect at once."""
        return self.state is not State.DATA and not self.verb

    def input_pending(self) -> bool:
        """True when octets were fed that no command has used yet."""
        return bool(self.input.buffer)

    # What procedures call

    def ask(self, hook: str, *arguments: object) -> Verdict | None:
        """Run a chain, as far as nothing has to wait.

        A procedure writes ``session.ask(...) or (yield session.call)``.

        Returns:
            The verdict; None when the driver has to run the rest, which is in ``call``.
        """
        chains = self.chains
        if not chains[hook]:
            return PASS
        found = run(hook, chains, arguments, self.connection, self.watched)
        if type(found) is not HookCall:
            return cast("Verdict", found)
        self.call = found
        return None

    def more(self) -> Script[None]:
        """Wait until more octets are there.

        Raises:
            Goodbye: there will be none.
        """
        if self.input.ended:
            raise Goodbye
        yield NEED_DATA
        if self._stop is not None and (self._stop is not _SHUTDOWN or self.interruptible):
            self._say_goodbye(self._stop)

    def begin(self) -> Transaction:
        """Begin a transaction; there is none before."""
        transaction = Transaction(self.connection)
        self.transaction = self.connection.transaction = transaction
        self._results = len(self.connection.results)
        return transaction

    def reset(self) -> Script[None]:
        """End the transaction, if there is one."""
        transaction = self.transaction
        if transaction is None:
            return
        try:
            if self.chains["reset_transaction"]:
                self.ask("reset_transaction", transaction) or (yield self.call)
        finally:
            self.receiver = None
            self.transaction = self.connection.transaction = None
            del self.connection.results[self._results :]
            if transaction.message is not None:
                transaction.message.close()
            if self.state is not _OVER:
                self.state = _READY

    def allow(self, received: int | None) -> None:
        """Set the time the client has, in all, for the message it is sending.

        Args:
            received: octets that have come so far; None when the message is complete.
        """
        settings = self.settings
        if received is None:
            self.time_limit = settings.command_timeout
        elif settings.data_min_rate:
            self.time_limit = settings.data_timeout + received / settings.data_min_rate
        else:
            self.time_limit = settings.data_timeout
            self.steps += 1

    def overcrowded(self) -> bool:
        """Refuse a client that has too many connections; always True: the session ends."""
        self.send(_OVERCROWDED)
        return True

    def greet(self) -> Script[bool]:
        """Run the connect hooks and greet; returns True when the session is to end."""
        self.state = State.GREETING
        self.use_enhanced(on=False)
        verdict = self.ask("connect", self.connection) or (yield self.call)
        answer = self.answer("connect", verdict)
        if answer.code == 0:
            words = self.settings.greeting
            if self.connection.protocol == "LMTP":
                words = re.sub(r"\bESMTP\b", "LMTP", words)
            self.reply(220, "", words)
        self.state = State.HELLO
        return answer.close

    # The session itself

    def _run(self) -> Script[None]:
        try:
            if "proxy" in self.connection.rights:
                yield from proxy.receive(self)
            if not (yield from self.greet()):
                yield from self._serve()
            yield from self._part(left=False)
        except Goodbye:
            yield from self._part(left=True)
        while True:
            yield CLOSED

    def _part(self, *, left: bool) -> Script[None]:
        """Run the closing hooks, in the order of the original.

        Args:
            left: the client went without QUIT.
        """
        self.state = State.CLOSED
        if left:
            yield from self.reset()
        self.ask("disconnect", self.connection) or (yield self.call)
        yield from self.reset()
        self.ask("post_connection", self.connection) or (yield self.call)

    def _serve(self) -> Script[None]:
        """Read commands and serve them until the session is to end."""
        connection, received, counts = self.connection, self.input, self.counts
        limit = self.settings.max_line
        while True:
            stop = self._stop
            if stop is not None:
                self._say_goodbye(stop)
            try:
                line = received.line(limit)
            except MalformedLine as error:
                self.steps += 1
                line = self._mended(error.line)
                if line is None:
                    if self._over_limit():
                        return
                    if len(self.out) > _OUTPUT_MARK:
                        yield FLUSH
                    continue
            if line is None:
                if received.ended:
                    raise Goodbye
                yield NEED_DATA
                continue
            self.steps += 1
            verb, _, argument = line.partition(b" ")
            name, procedure, refused, junk, _ = COMMANDS.get(verb) or _command(verb)
            self.verb = name
            connection.command_counter += 1
            counts[name] += 1
            if self._verbose:
                self._log_line(line)
            if self.state in refused:
                self.send(refused[self.state])
            elif (yield from procedure(self, verb, argument.strip(b" "))):
                return
            self.verb = ""
            if junk:
                self.junk += 1
            if (self.errors or self.junk or self.bad_recipients) and self._over_limit():
                return
            if received.buffer:
                if len(self.out) > _OUTPUT_MARK:
                    yield FLUSH
            elif self._stop is None and not received.ended:
                yield NEED_DATA

    def _mended(self, line: bytes | None) -> bytes | None:
        """Take a malformed line for what it seems to say, or refuse it and return None."""
        if line is None:
            self.send(_LINE_TOO_LONG)
        elif self.settings.bare_newline == REJECT:
            self.send(_BARE)
            return None
        return line

    def _say_goodbye(self, reply: Fixed) -> NoReturn:
        if self.state is not State.PROXY:
            self.send(reply)
        raise Goodbye

    def _over_limit(self) -> bool:
        """Say goodbye to a client that made too many errors, or brings no mail."""
        settings = self.settings
        if (
            0 < settings.max_errors <= self.errors
            or 0 < settings.max_bad_recipients <= self.bad_recipients
        ):
            self.send(_TOO_MANY_ERRORS)
        elif 0 < settings.max_junk <= self.junk:
            self.send(_TOO_MUCH_JUNK)
        else:
            return False
        return True

    def _log_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self.verb == "auth":
            text = " ".join([*text.split(" ")[:2], "<hidden credentials>"])
        self.connection.log(LOGINFO, f"dispatching {text}")


def _command(verb: bytes) -> Command:
    """Find a verb that is not spelled in capitals, or is unknown."""
    return COMMANDS.get(verb.upper(), UNRECOGNIZED)
