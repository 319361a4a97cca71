import pytest
from tests.smtp.ways import ACCEPTING, ENVELOPE, HELLO, MAIL, RCPT, State, every_way, lines

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    OK,
)

PATHS = [  # the original's own tests, without its plugin for missing brackets
    ("FROM:<ask@perl.org>", 250, "ask@perl.org"),
    ("FROM:<ask @perl.org>", 250, "ask @perl.org"),
    ("FROM:<ask@[1.2.3.4]>", 250, "ask@[1.2.3.4]"),
    ("FROM:<ask@perl.org> SIZE=1230", 250, "ask@perl.org"),
    ("FROM:<ask@perl.org> SIZE=1230 CORRECT-WITHOUT-ARG", 555, None),  # RFC 5321 section 4.1.1.11
    ("FROM:<>", 250, ""),
    ("FROM:", 250, ""),
    ("FROM:<#@[]>", 250, ""),
    ("FROM:<x[undefined]y>", 250, ""),
    ("FROM:ask@perl.org", 501, None),
    ("FROM:<@a.b,@c.d:x@y.z>", 250, "x@y.z"),
    ("FROM:<a\tb@c.d>", 501, None),
    ("FROM:<caf\u00e9@x.y>", 553, None),
    ("FROM:<caf\u00e9@x.y> SMTPUTF8", 250, "caf\u00e9@x.y"),
    ("FROM:<a@@b>", 501, None),
    ("FROM", 501, None),
    ("", 501, None),
]


@pytest.mark.parametrize(("argument", "code", "address"), PATHS)
def test_mail(argument, code, address):
    seen = []

    def mail(transaction, sender, parameters):
        seen.append((sender.address, transaction.sender))

    outcome = every_way(HELLO + f"MAIL {argument}\r\n".encode(), {"mail": mail})
    assert outcome.codes == [220, 250, code]
    assert outcome.state is (State.READY if address is None else State.MAIL)
    assert set(seen) == (set() if address is None else {(address, None)})
    assert outcome.session.connection.notes["envelope_from"] == argument


def test_mail_needs_a_hello():
    assert every_way(MAIL).replies[1:] == ["503 please say hello first ..."]


def test_each_mail_starts_over():
    outcome = every_way(ENVELOPE + MAIL + b"DATA\r\n")
    assert outcome.codes[-2:] == [250, 503]
    assert outcome.calls.count("reset_transaction") == 2
    refused = every_way(ENVELOPE + b"MAIL nonsense\r\nRCPT TO:<x@y.z>\r\n")
    assert refused.codes[-2:] == [501, 503]


def test_the_sender_is_quoted_in_the_reply():
    outcome = every_way(HELLO + b"MAIL FROM:<a b@example.net>\r\n")
    assert outcome.replies[-1] == (
        '250 2.1.0 <"a\\ b"@example.net>, sender OK - how exciting to get mail from you!'
    )


@pytest.mark.parametrize("verb", ["mail", "rcpt"])
def test_octets_that_are_no_utf8_are_refused(verb):
    word = {"mail": b"MAIL FROM", "rcpt": b"RCPT TO"}[verb]
    outcome = every_way(HELLO + MAIL + word + b":<\xff\xfe@example.net> SMTPUTF8\r\n")
    assert outcome.replies[-1] == "501 5.5.2 Command is not valid UTF-8"


@pytest.mark.parametrize(
    ("size", "code"),
    [("1000", 250), ("1001", 552), ("9" * 20, 552), ("9" * 300, 501), ("-5", 501)],
)
def test_size_is_believed_at_once(size, code):
    octets = HELLO + f"MAIL FROM:<a@b.c> SIZE={size}\r\n".encode()
    outcome = every_way(octets, databytes=1000)
    assert outcome.codes[-1] == code
    assert outcome.state is (State.MAIL if code == 250 else State.READY)
    assert outcome.calls.count("mail") == (code == 250)


def test_digits_of_other_scripts_are_no_digits():
    octets = HELLO + "MAIL FROM:<a@b.c> SIZE=\u0661\u0662\r\n".encode()
    assert every_way(octets).codes[-1] == 501


def test_a_refused_sender_is_forgotten_and_logged():
    outcome = every_way(HELLO + MAIL + RCPT, {**ACCEPTING, "mail": (DENY, "not you")})
    assert outcome.replies[2:] == ["550 5.7.1 not you", "503 5.5.1 Use MAIL before RCPT"]
    assert "deny mail from <a@example.net> (not you)" in outcome.log
    soft = every_way(HELLO + MAIL, {"mail": DENYSOFT})
    assert soft.replies[-1] == "450 4.7.1 <a@example.net>, temporarily denied"
    text = "denysoft mail from <a@example.net> (<a@example.net>, temporarily denied)"
    assert text in soft.log
    closed = every_way(HELLO + MAIL, {"mail": DENYSOFT_DISCONNECT})
    assert closed.codes[-1] == 421
    assert closed.calls[-3:] == ["reset_transaction", "disconnect", "post_connection"]


@pytest.mark.parametrize(
    ("argument", "code", "text"),
    [
        ("TO:<b@example.org>", 250, "2.1.5 <b@example.org>, recipient ok"),
        ("TO: <x y@example.org>", 250, '2.1.5 <"x\\ y"@example.org>, recipient ok'),
        ("TO:<foo@EXAMPLE.org>", 250, "2.1.5 <foo@EXAMPLE.org>, recipient ok"),
        ("TO:<postmaster>", 250, "2.1.5 <postmaster>, recipient ok"),
        ("TO:postmaster", 501, "5.1.3 could not parse recipient"),
        ("TO:a@example.org", 501, "5.1.3 could not parse recipient"),
        ("TO:<>", 501, "5.1.3 could not parse recipient"),
        ("TO:", 501, "5.5.4 Syntax error in address"),
        ("TO:<caf\u00e9@x.y>", 553, None),
        ("TO:<b@x.y> SIZE=1", 555, "5.5.4 Unknown parameter SIZE"),
        ("TO:<b@x.y> NOTIFY=SOMETIMES", 501, "5.5.4 Bad value of parameter NOTIFY"),
    ],
)
def test_rcpt(argument, code, text):
    outcome = every_way(HELLO + MAIL + f"RCPT {argument}\r\n".encode())
    assert outcome.codes[3:] == [code]
    assert text is None or outcome.replies[-1] == f"{code} {text}"
    assert outcome.state is (State.RCPT if code == 250 else State.MAIL)
    assert outcome.session.connection.notes["envelope_rcpt"] == argument


def test_rcpt_needs_mail():
    assert every_way(HELLO + RCPT).replies[-1] == "503 5.5.1 Use MAIL before RCPT"
    # what cannot be read is found first
    assert every_way(HELLO + b"RCPT\r\n").codes[-1] == 501


def test_recipients_and_their_parameters_reach_the_queue():
    seen = []

    def queue(transaction):
        names = [recipient.address for recipient in transaction.recipients]
        dsn = {str(key): dict(value) for key, value in transaction.rcpt_parameters.items()}
        seen.append((names, dsn, dict(transaction.mail_parameters), transaction.sender.address))
        return OK

    octets = HELLO + lines(
        "MAIL FROM:<a@b.c> RET=HDRS ENVID=x+2By",
        "RCPT TO:<d@e.f> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;z@e.f",
        "RCPT TO:<g@h.i>",
        "RCPT TO:<g@h.i>",
        "DATA",
        ".",
    )
    assert every_way(octets, {"rcpt": OK, "queue": queue}).codes[-1] == 250
    first = seen[0]
    assert all(one == first for one in seen)
    assert first == (
        ["d@e.f", "g@h.i", "g@h.i"],
        {"<d@e.f>": {"notify": "SUCCESS,DELAY", "orcpt": "rfc822;z@e.f"}},
        {"ret": "HDRS", "envid": "x+2By"},
        "a@b.c",
    )


def test_a_recipient_nobody_decided_about_is_deferred():
    outcome = every_way(ENVELOPE, {})
    assert outcome.replies[-1] == "450 4.7.1 No plugin decided if relaying is allowed"
    text = "No plugin decided if relaying is allowed"
    assert f"denysoft rcpt to <b@example.org> ({text})" in outcome.log


def test_a_recipient_answered_by_the_plugin_is_not_taken():
    def rcpt(transaction, recipient, parameters):
        transaction.connection.respond(250, "mine")
        return DONE

    outcome = every_way(ENVELOPE + b"DATA\r\n", {"rcpt": rcpt})
    assert outcome.codes[-2:] == [250, 503]


def test_a_sender_answered_by_the_plugin_is_taken():
    outcome = every_way(HELLO + MAIL + RCPT, {"rcpt": OK, "mail": DONE})
    assert outcome.codes == [220, 250, 250]
    assert outcome.state is State.RCPT


def test_recipients_are_limited():
    outcome = every_way(ENVELOPE + RCPT + RCPT + b"DATA\r\n.\r\n", max_recipients=2)
    assert outcome.replies[5] == "452 4.5.3 Too many recipients"
    assert outcome.codes[-2:] == [354, 250]


def test_messages_are_limited():
    one = MAIL + RCPT + b"DATA\r\n.\r\n"
    outcome = every_way(HELLO + one + one + MAIL, max_messages=2)
    assert outcome.replies[-1] == "421 4.5.3 Too many messages in one session, bye"
    assert outcome.state is State.CLOSED
    assert len(outcome.queued) == 2


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ((OK, "<new@example.net>"), "<new@example.net>"),
        (OK, "<a@example.net>"),
        (DECLINED, "<a@example.net>"),
        ((DENY, "<new@example.net>"), "<a@example.net>"),  # the original ignores it, too
        ((OK, "junk"), None),
    ],
)
def test_mail_pre_may_change_the_path(answer, path):
    outcome = every_way(HELLO + MAIL, {"mail_pre": answer})
    assert outcome.codes[-1] == (250 if path else 501)
    assert path is None or path in outcome.replies[-1]
    assert outcome.state is (State.MAIL if path else State.READY)


def test_rcpt_pre_may_change_the_path():
    outcome = every_way(ENVELOPE, {**ACCEPTING, "rcpt_pre": (OK, "<new@example.org>")})
    assert outcome.replies[-1] == "250 2.1.5 <new@example.org>, recipient ok"


def test_mail_pre_gets_path_and_parameters():
    seen = []
    answers = {"mail_pre": lambda *arguments: seen.append(arguments[1:])}
    every_way(HELLO + b"MAIL FROM:<a@b.c> SIZE=5\r\n", answers)
    assert all(one == ("<a@b.c>", {"size": "5"}) for one in seen)


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        ((OK, "<x@y.z>", "SIZE=5", "SMTPUTF8"), "250 2.1.0 <x@y.z>, sender OK"),
        ((OK, "<x@y.z>"), "250 2.1.0 <x@y.z>, sender OK"),
        ((OK,), "501 5.5.4 Syntax error in command"),
        ((DENY, "no idea"), "501 5.5.4 no idea"),
        ((DENY,), "501 5.5.4 Syntax error in command"),
        (DENY, "501 5.5.4 Syntax error in command"),
        (None, "501 5.5.4 Syntax error in command"),
    ],
)
def test_a_plugins_parser_reads_the_argument(value, reply):
    outcome = every_way(HELLO + MAIL, {"mail_parse": (OK, lambda verb, text: value)})
    assert outcome.replies[-1].startswith(reply)


def test_a_plugins_parser_that_gives_no_function_is_not_used():
    for answer in (DECLINED, OK, (OK, "x")):
        assert every_way(HELLO + MAIL, {"mail_parse": answer}).codes[-1] == 250


def test_a_plugins_parser_that_raises_does_not_end_the_session():
    def parser(verb, text):
        raise KeyError(text)

    assert len(every_way(HELLO + MAIL, {"mail_parse": (OK, parser)}).codes) == 3


def test_parameters_of_a_plugins_capability_are_let_through():
    def connect(connection):
        connection.notes["capabilities"] = ["XPRIO 9"]

    outcome = every_way(HELLO + b"MAIL FROM:<a@b.c> XPRIO=1\r\n", {"connect": connect})
    assert outcome.codes[-1] == 250


def test_utf8_is_echoed_to_a_client_that_asked_for_it():
    octets = HELLO + lines("MAIL FROM:<a@b.c> SMTPUTF8", "RCPT TO:<caf\u00e9@example.org>")
    assert every_way(octets).replies[-1] == "250 2.1.5 <caf\u00e9@example.org>, recipient ok"
    refused = every_way(octets, {"rcpt": (DENY, "no caf\u00e9")})
    assert refused.replies[-1] == "550 5.7.1 no caf\u00e9"
