import pytest
from tests.smtp.ways import (
    ACCEPTING,
    ENVELOPE,
    HELLO,
    MAIL,
    RCPT,
    State,
    dialogue,
    every_way,
)

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    OK,
)
from qpsmtpd.errors import StorageError
from qpsmtpd.message import Message, Storage

DATA = ENVELOPE + b"DATA\r\n"
TEXT = b"Subject: x\r\n\r\nbody\r\n"
END = b".\r\n"
LHLO = b"LHLO client.example.net\r\n"
LMTP = {"connection": {"protocol": "LMTP"}}
TAIL = ["reset_transaction", "disconnect", "post_connection"]
#: bare octets as they stand in the text, and whether they are stored as a line end, too
SMUGGLED = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\r\r\n",
    b"\n\r.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n .\r\n", b"\r\n. \r\n",
    b"\r\n\t.\r\n", b"\r\n.\t\r\n", b"\r\n..\r\n", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\x85.\x85",
    b"\x0b.\x0b", b"\x0c.\r\n", b"\n\n.\r\n", b"\r\r\n.\n", b"\r\n.\n\r\n", b"\n.\n\n",
    b"\r\0\n.\r\n",
]  # fmt: skip


def bare(octets):
    left = octets.replace(b"\r\n", b"")
    return b"\r" in left or b"\n" in left


# DATA


def test_a_message_is_queued_and_answered_once():
    outcome = every_way(DATA + TEXT + END + b"QUIT\r\n")
    assert outcome.codes == [220, 250, 250, 250, 354, 250, 221]
    assert outcome.replies[4:6] == ["354 go ahead", "250 2.0.0 Queued"]
    assert outcome.queued == [b"Subject: x\n\nbody\n"]
    assert outcome.calls == [
        *("connect", "ehlo", "mail_pre", "mail", "rcpt_pre", "rcpt", "data", "data_headers_end"),
        *("data_post_headers", "received_line", "data_post", "queue_pre", "queue", "queue_post"),
        *("reset_transaction", "quit", "disconnect", "post_connection"),
    ]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (b"", b""),
        (b"\r\n", b"\n"),
        (b"Subject: x\r\n", b"Subject: x\n"),
        (b"A: b\r\n\r\n..bar\r\n.foo\r\n...\r\n", b"A: b\n\n.bar\nfoo\n..\n"),
        (b"A: b\r\n\r\nnul\0 \xff\x80\r\n", b"A: b\n\nnul\0 \xff\x80\n"),
        (b"..\r\n", b".\n"),
    ],
)
def test_what_is_stored_is_what_was_meant(text, stored):
    outcome = every_way(DATA + text + END)
    assert outcome.codes[-1] == 250
    assert outcome.queued == [stored]


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"DATA\r\n", "503 MAIL first"),
        (HELLO + b"DATA\r\n", "503 5.5.1 MAIL first"),
        (HELLO + MAIL + b"DATA\r\n", "503 5.5.1 RCPT first"),
        (ENVELOPE + b"DATA now\r\n", "501 5.5.4 Syntax error (no parameters allowed)"),
        (
            HELLO + b"MAIL FROM:<a@b.c> BODY=BINARYMIME\r\n" + RCPT + b"DATA\r\n",
            "503 5.5.1 A BINARYMIME message comes by BDAT (RFC 3030 section 3)",
        ),
    ],
)
def test_data_out_of_sequence_is_refused(octets, reply):
    outcome = every_way(octets)
    assert outcome.replies[-1] == reply
    assert "data" not in outcome.calls


@pytest.mark.parametrize("smuggled", SMUGGLED)
def test_only_crlf_dot_crlf_ends_data(smuggled):
    text = b"A: b\r\n\r\nx" + smuggled + b"MAIL FROM:<evil@x.y>\r\n"
    octets = DATA + text + END
    outcome = every_way(octets)
    if bare(smuggled):
        assert outcome.codes == [220, 250, 250, 250, 354, 554]
        assert outcome.replies[-1].startswith("554 5.6.0 Message has a bare CR or LF")
        assert outcome.queued == []
    else:
        assert outcome.codes == [220, 250, 250, 250, 354, 250]
        assert b"evil" in outcome.queued[0]
    assert outcome.calls.count("mail") == 1
    # what follows the true end is a command, and only that
    after = every_way(octets + b"MAIL FROM:<next@x.y>\r\n")
    assert after.calls.count("mail") == 2
    assert after.replies[-1].startswith("250 2.1.0 <next@x.y>")


@pytest.mark.parametrize("policy", ["normalize", "accept"])
@pytest.mark.parametrize("smuggled", [one for one in SMUGGLED if bare(one)])
def test_a_bare_line_end_may_be_let_through_but_ends_nothing(smuggled, policy):
    octets = DATA + b"A: b\r\n\r\nx" + smuggled + b"RSET\r\n" + END
    outcome = every_way(octets, bare_newline=policy)
    assert outcome.codes[-2:] == [354, 250]
    (stored,) = outcome.queued
    assert b"RSET\n" in stored
    if policy == "normalize":
        assert b"\r" not in stored
    else:
        kept = b"\r\nx" + smuggled.replace(b"\r\n.", b"\r\n") + b"RSET"
        assert kept.replace(b"\r\n", b"\n") in stored


@pytest.mark.parametrize(
    ("text", "settings", "reply"),
    [
        (TEXT + b"x" * 3000 + b"\r\n", {"databytes": 1000}, "552 5.3.4 Message too big!"),
        (b"A: " + b"x" * 3000 + b"\r\n", {"max_header": 1000}, "552 5.3.4 Header section too big"),
        (
            b"A: " + b"x" * 3000 + b"\r\n\r\n",
            {"max_header": 1000},
            "552 5.3.4 Header section too big",
        ),
        (
            b"A: b\r\n" * 30 + b"\r\nx\r\n",
            {"max_header_fields": 29},
            "552 5.3.4 Header section too big",
        ),
        (b"A: b\r\n" * 30, {"max_header_fields": 29}, "552 5.3.4 Header section too big"),
        (
            TEXT + b"y" * 101 + b"\r\n",
            {"max_text_line": 100},
            "554 5.6.0 Message has a line that is too long",
        ),
    ],
)
def test_a_message_over_a_limit_is_read_to_its_end_and_answered_once(text, settings, reply):
    smuggling = text + b"\r\n.\nMAIL FROM:<evil@x.y>\r\n"
    for octets in (text, smuggling):
        outcome = every_way(
            DATA + octets + END + b"RCPT TO:<late@x.y>\r\n", calls=False, **settings
        )
        assert outcome.codes[:5] == [220, 250, 250, 250, 354]
        assert outcome.codes[6:] == [503]  # the transaction is over
        assert outcome.queued == []
        assert outcome.calls.count("mail") == 1
        if octets is text:
            assert outcome.replies[5] == reply
        else:
            assert outcome.codes[5] in {552, 554}


def test_messages_at_the_limits_are_taken():
    text = b"A: b\r\n" * 30 + b"\r\n" + b"y" * 100 + b"\r\n"
    outcome = every_way(
        DATA + text + END,
        databytes=30 * 5 + 1 + 101,
        max_header=30 * 5 + 1,
        max_header_fields=30,
        max_text_line=100,
    )
    assert outcome.codes[-1] == 250


def test_a_limit_of_nothing_is_no_limit():
    text = b"A: b\r\n" * 2000 + b"\r\n" + b"y" * 100_000 + b"\r\n"
    outcome = dialogue(
        ACCEPTING,
        [DATA + text + END],
        watch=True,
        databytes=0,
        max_header=0,
        max_header_fields=0,
        max_text_line=0,
    )
    assert outcome.codes[-1] == 250


@pytest.mark.parametrize("result", [DENY, DENYSOFT])
def test_a_refusal_at_the_end_of_the_header_waits_for_the_true_end(result):
    answers = {**ACCEPTING, "data_headers_end": (result, "spam")}
    for text in (TEXT, b"", b"A: b\r\n", TEXT + b"x\r\n" * 1000):
        outcome = every_way(DATA + text + END, answers)
        assert outcome.codes[4:] == [354, 554 if result is DENY else 451]
        assert outcome.replies[-1].endswith("7.1 spam")
        assert outcome.queued == []
        assert "data_post" not in outcome.calls


@pytest.mark.parametrize(("result", "code"), [(DENY_DISCONNECT, 554), (DENYSOFT_DISCONNECT, 421)])
@pytest.mark.parametrize("text", [TEXT, b""])
def test_a_client_may_be_cut_off_at_the_end_of_the_header(result, code, text):
    outcome = every_way(DATA + text + END, {**ACCEPTING, "data_headers_end": result})
    assert outcome.codes[4:] == [354, code]
    assert outcome.state is State.CLOSED
    assert outcome.calls[-3:] == ["disconnect", "reset_transaction", "post_connection"]


def test_ok_at_the_end_of_the_header_changes_nothing():
    for answer in (OK, DONE):
        outcome = every_way(DATA + TEXT + END, {**ACCEPTING, "data_headers_end": answer})
        assert outcome.codes[-2:] == [354, 250]


def test_data_refused_before_it_begins_ends_the_transaction():
    outcome = every_way(DATA + b"DATA\r\n", {**ACCEPTING, "data": DENY})
    assert outcome.codes[4:] == [554, 503]
    done = every_way(DATA + b"NOOP\r\n", {**ACCEPTING, "data": DONE})
    assert done.codes[4:] == [250]
    assert done.state is State.RCPT


def test_the_header_can_be_read_when_it_ends_and_edited():
    seen = []

    def headers_end(transaction):
        seen.append(transaction.message.header.get("Subject"))
        transaction.message.header.add("X-Seen", "yes")

    def queue(transaction):
        seen.append(b"".join(transaction.message.blocks()))
        return OK, "q1\nq2"

    answers = {"rcpt": OK, "data_headers_end": headers_end, "queue": queue}
    outcome = every_way(DATA + TEXT + END, answers)
    assert outcome.replies[-1] == "250-2.0.0 q1\n250 2.0.0 q2"
    assert seen[0] == "x"
    assert b"Received: " in seen[1]
    assert b"Subject: x\nX-Seen: yes\n\nbody\n" in seen[1]


def test_a_plugin_may_write_the_received_field():
    seen = []

    def queue(transaction):
        seen.append(transaction.message.header.get("Received"))
        return OK

    for answer, text in (((OK, "from a\n by b"), "from a by b"), (OK, None), (DENY, None)):
        seen.clear()
        every_way(DATA + TEXT + END, {"rcpt": OK, "queue": queue, "received_line": answer})
        for value in seen:
            assert value == text if text else value.startswith("from Unknown (HELO ")


def test_a_plugin_learns_of_login_and_cipher_for_the_received_field():
    seen = []

    def connect(connection):
        connection.auth_user, connection.auth_mechanism = "me", "plain"
        connection.authenticated, connection.tls = OK, "AES"

    answers = {
        **ACCEPTING,
        "connect": connect,
        "received_line": lambda *arguments: seen.append(arguments[1:]),
    }
    every_way(DATA + TEXT + END, answers)
    login = "(smtp-auth username me, mechanism plain)\n"
    assert set(seen) == {("ESMTPSA", login, "(AES encrypted)")}


def test_what_the_client_is_told_is_no_matter_of_queue_post():
    answers = {**ACCEPTING, "queue_post": (DENY, "too late")}
    outcome = every_way(DATA + TEXT + END, answers)
    assert outcome.codes[-1] == 250
    assert "queue_post of test: too late" in outcome.log
    fine = every_way(DATA + TEXT + END, {**ACCEPTING, "queue_post": OK})
    assert not [text for text in fine.log if text.startswith("queue_post of")]


def test_a_queued_message_forgives_earlier_errors():
    bad = b"NONSENSE\r\n"
    octets = HELLO + bad * 2 + MAIL + RCPT + b"DATA\r\n" + END + bad * 2
    outcome = every_way(octets, max_errors=3)
    assert outcome.state is State.READY
    assert outcome.session.errors == 2
    assert outcome.session.messages == 1


@pytest.mark.parametrize("answer", [DECLINED, DENY, DENYSOFT])
def test_a_message_that_was_not_queued_does_not_count(answer):
    outcome = every_way(DATA + END, {"rcpt": OK, "queue": answer})
    assert outcome.session.messages == 0


# Storage


@pytest.mark.pure
@pytest.mark.parametrize("text", [TEXT, b""])
@pytest.mark.parametrize("octets", [DATA, ENVELOPE])
@pytest.mark.parametrize("method", ["append", "finish"])
def test_a_full_disk_is_a_single_452(monkeypatch, method, octets, text):
    def fail(self, *arguments):
        raise StorageError("no space left")

    monkeypatch.setattr(Message, method, fail)
    body = text + END if octets is DATA else b"BDAT %d LAST\r\n" % len(text) + text
    outcome = every_way(octets + body + b"RCPT TO:<late@x.y>\r\n")
    if not text and method == "append" and octets is ENVELOPE:
        assert outcome.codes[-2:] == [250, 503]  # there was nothing to store
        return
    assert outcome.replies[-2] == "452 4.3.1 Cannot store the message now"
    assert outcome.codes[-1] == 503
    assert outcome.queued == []
    assert "cannot store the message: no space left" in outcome.log


@pytest.mark.pure
def test_a_header_that_cannot_be_read_back_is_a_452(monkeypatch):
    monkeypatch.setattr(
        "qpsmtpd.smtp.content.add_trace_fields",
        lambda *arguments: (_ for _ in ()).throw(StorageError("read error")),
    )
    outcome = every_way(DATA + TEXT + END + MAIL)
    assert outcome.codes[4:] == [354, 452, 250]
    assert outcome.queued == []


def test_spooled_messages_leave_nothing_behind(tmp_path):
    storage = Storage(str(tmp_path / "spool"), 10)
    text = TEXT + b"line\r\n" * 50
    for octets in (DATA + text + END, DATA + text, DATA + text + END + b"QUIT\r\n"):
        every_way(octets, storage=storage, trailing=False)
        assert list((tmp_path / "spool").iterdir()) == []


def test_the_message_is_gone_after_its_transaction():
    kept = []
    answers = {"rcpt": OK, "queue": lambda transaction: (kept.append(transaction.message), OK)[1]}
    every_way(DATA + TEXT + END, answers)
    for message in kept:
        with pytest.raises(ValueError, match="closed"):
            b"".join(message.blocks())
