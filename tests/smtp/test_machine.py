"""Commands in any order, valid and not, split anywhere, with verdicts drawn by hypothesis."""

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.smtp.ways import WATCHED, handler, replies

from qpsmtpd.constants import DECLINED, DONE, OK, Result
from qpsmtpd.hooks.chain import Chains, HookCall, Kind, run_blocking
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.smtp import CLOSED, FLUSH, NEED_DATA, Connection, Session, SessionSettings, State

MESSAGE_HOOKS = {"data_headers_end", "data_post_headers", "data_post", "queue_pre", "queue"}
CLOSING = {"reset_transaction", "disconnect", "post_connection"}
#: what may follow in each state, beyond CLOSED
ALLOWED = {
    State.HELLO: {State.HELLO, State.READY},
    State.READY: {State.READY, State.MAIL},
    State.MAIL: {State.MAIL, State.READY, State.RCPT},
    State.RCPT: {State.RCPT, State.READY, State.MAIL, State.DATA, State.BDAT},
    State.DATA: {State.DATA, State.READY},
    State.BDAT: {State.BDAT, State.READY},
}
COMMANDS = st.sampled_from(
    [
        b"EHLO client.example.net\r\n", b"HELO h\r\n", b"HELO\r\n", b"LHLO x\r\n",
        b"MAIL FROM:<a@b.c>\r\n", b"MAIL FROM:<a@b.c> BODY=BINARYMIME\r\n", b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<a@b.c> SIZE=99999999\r\n", b"MAIL FROM:<\xff>\r\n", b"MAIL\r\n",
        b"RCPT TO:<x@y.z>\r\n", b"RCPT TO:<x@y.z> NOTIFY=NEVER\r\n", b"RCPT TO:<>\r\n",
        b"RSET\r\n", b"NOOP\r\n", b"VRFY x\r\n", b"EXPN x\r\n", b"HELP\r\n", b"FOO bar\r\n",
        b"AUTH PLAIN x\r\n", b"STARTTLS\r\n", b"XCLIENT ADDR=1.2.3.4\r\n", b"\r\n", b" \r\n",
        b"NOOP\n", b"NO\rOP\r\n", b"x" * 600 + b"\r\n",
    ]
)  # fmt: skip
TEXTS = st.lists(
    st.sampled_from(
        [b"A: b\r\n", b"\r\n", b"..\r\n", b"\n.\r\n", b"x" * 50 + b"\r\n", b"\r.\r\n"]
    ),
    max_size=8,
).map(b"".join)
VERDICTS = st.one_of(
    st.sampled_from(list(Result)),
    st.tuples(st.sampled_from(list(Result)), st.text(max_size=30)),
    st.sampled_from([None, 5, "x", ()]),
)


class Machine(RuleBasedStateMachine):
    """One session; hypothesis plays client and plugins."""

    session: Session

    @initialize(
        protocol=st.sampled_from(["SMTP", "LMTP"]),
        kinds=st.lists(st.sampled_from(list(Kind)), min_size=3, max_size=3),
        policy=st.sampled_from(["reject", "normalize", "accept"]),
        data=st.data(),
    )
    def begin(self, protocol, kinds, policy, data):
        self.data = data
        self.calls = []
        self.done = False
        handlers = [
            handler(hook, self.handle(hook), kinds[number % 3], eager=number % 2 == 1)
            for number, hook in enumerate(WATCHED)
        ]
        self.connection = Connection("192.0.2.1", protocol=protocol)
        self.session = Session(
            self.connection,
            Chains(handlers),
            SessionSettings(bare_newline=policy, databytes=200, max_line=512, max_recipients=3),
        )
        self.answered = self.advance()

    def handle(self, hook):
        def call(first, *rest):
            assert len(rest) == len(HOOKS[hook].arguments) - 1
            self.calls.append(hook)
            if hook in MESSAGE_HOOKS:
                assert first.sender is not None
                assert first.recipients
                assert first.message is not None
            if hook in CLOSING:
                return None
            verdict = self.data.draw(VERDICTS, label=hook)
            if verdict is None and hook in {"rcpt", "queue"}:
                return OK
            code = verdict[0] if isinstance(verdict, tuple) and verdict else verdict
            self.done |= code is DONE
            return verdict

        return call

    def advance(self):
        """Go on until octets are needed; returns the replies."""
        out = b""
        event = self.session.next_event()
        while event is not NEED_DATA and event is not CLOSED:
            assert event is FLUSH or isinstance(event, HookCall)
            out += self.session.data_to_send()
            event = self.session.next_event(
                run_blocking(event) if isinstance(event, HookCall) else None
            )
        self.event = event
        return replies(out + self.session.data_to_send())

    def feed(self, octets, cut):
        before = self.session.state
        self.done = False
        found = []
        for block in filter(None, (octets[:cut], octets[cut:])):
            if self.event is CLOSED:
                break
            self.session.feed(block)
            found += self.advance()
        after = self.session.state
        assert after is State.CLOSED or after in ALLOWED[before], (before, octets)
        return found

    def expect(self, found, most=1):
        """One reply; none if a plugin said it answers; a farewell behind it at the limits."""
        if found and found[-1].startswith("421 ") and self.event is CLOSED:
            most += 1
        assert len(found) <= most
        assert found or self.done

    def open(self):
        return self.event is not CLOSED

    @rule(octets=COMMANDS, cut=st.integers(1, 30))
    def command(self, octets, cut):
        if self.open() and self.session.state is not State.DATA:
            self.expect(self.feed(octets, cut))

    @rule(text=TEXTS, cut=st.integers(1, 60))
    def message(self, text, cut):
        if not self.open():
            return
        recipients = len(self.session.transaction.recipients) if self.session.transaction else 0
        lmtp = self.connection.protocol == "LMTP"
        found = self.feed(b"DATA\r\n", cut)
        self.expect(found)
        if self.session.state is State.DATA:
            assert found == ["354 go ahead"]
            assert recipients
            self.expect(self.feed(text + b".\r\n", cut), most=max(recipients, 1) if lmtp else 1)
            assert self.session.state in {State.READY, State.CLOSED} or b"\n" in text

    @rule(text=TEXTS, last=st.booleans(), cut=st.integers(1, 60))
    def chunk(self, text, last, cut):
        if not self.open():
            return
        recipients = len(self.session.transaction.recipients) if self.session.transaction else 0
        lmtp = self.connection.protocol == "LMTP"
        octets = b"BDAT %d%s\r\n" % (len(text), b" LAST" * last) + text
        before = self.session.state
        found = self.feed(octets, cut)
        if before is not State.HELLO:
            self.expect(found, most=max(recipients, 1) if lmtp else 1)

    @rule(how=st.sampled_from(["quit", "end", "abandon", "timeout", "shutdown"]))
    def leave(self, how):
        if not self.open():
            return
        if how == "quit":
            self.expect(self.feed(b"QUIT\r\n", 3))
        else:
            if how == "end":
                self.session.feed(b"")
            elif how == "abandon":
                self.drain(self.session.abandon())
            else:
                getattr(self.session, how)()
            found = self.advance()
            assert len(found) <= 1
        assert self.event is CLOSED

    def drain(self, event):
        while event is not CLOSED:
            event = self.session.next_event(run_blocking(event))

    @invariant()
    def transaction_fits_state(self):
        session = self.session
        if session.state in {State.HELLO, State.READY, State.CLOSED}:
            assert session.transaction is None
            assert session.receiver is None
        if session.state is State.MAIL:
            assert session.transaction.sender is not None
        if session.state in {State.RCPT, State.DATA, State.BDAT}:
            assert session.transaction.recipients
        assert self.connection.transaction is session.transaction

    def teardown(self):
        if not hasattr(self, "calls"):
            return
        if self.open():
            self.session.feed(b"")
            self.advance()
        for hook in ("disconnect", "post_connection"):
            assert self.calls.count(hook) == 1
        assert self.session.state is State.CLOSED
        assert DECLINED not in [result for _, _, result in self.connection.results]


TestSession = Machine.TestCase
TestSession.settings = settings(
    max_examples=100,
    stateful_step_count=20,
    database=None,  # leaves no files
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
