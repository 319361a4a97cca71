"""Fuzz target: no input makes a session raise or answer twice, and any two feedings agree."""

import random
import re
from pathlib import Path

from tests.smtp.ways import advance, content, handler, replies, single

from qpsmtpd.constants import DECLINED, DENY, DENYSOFT, DONE, OK
from qpsmtpd.hooks.chain import Chains, Kind
from qpsmtpd.smtp import CLOSED, NEED_DATA, Connection, Session, SessionSettings, State

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "smtp-fuzz-seeds"
WORDS = [
    b"EHLO x\r\n", b"HELO x\r\n", b"LHLO x\r\n", b"MAIL FROM:<a@b.c>\r\n", b"RCPT TO:<r@e.f>\r\n",
    b"DATA\r\n", b"\r\n.\r\n", b"RCPT TO:<d@e.f>\r\nRCPT TO:<s@e.f>\r\nRCPT TO:<o@e.f>\r\n",
    b"BDAT 5\r\nabcde", b"BDAT 0 LAST\r\n", b"BDAT 9 LAST\r\nA: b\r\n\r\nc",
    b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n", b"HELP\r\n", b"VRFY a\r\n", b"XCLIENT ADDR=1.2.3.4\r\n",
    b"XFORWARD NAME=a\r\n", b"\n", b"\r", b"\r\n", b".", b"\0", b"\xff", b" SIZE=9",
    b" BODY=BINARYMIME",
    b" SMTPUTF8", b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"<>", b"@", b'"', b"x" * 600, b"=", b"+0D",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 9 25\r\n", b"\r\n\r\n\0\r\nQUIT\n", "\u0661\u2028\u017f".encode(),
]  # fmt: skip
#: by the first octet of the data
PROTOCOLS = ("SMTP", "LMTP")
POLICIES = ("reject", "normalize", "accept")
RIGHTS = (frozenset(), frozenset({"xclient", "xforward"}), frozenset({"proxy"}))


def chains(queued, kind):
    """Build plugins whose answer depends on what they are asked, and on nothing else."""

    def recipient(transaction, address, parameters):
        return {"d": DENY, "s": DENYSOFT, "n": DECLINED, "o": DONE}.get(address.user[:1], OK)

    def queue(transaction):
        queued.append(content(transaction))
        return OK

    def nonsense(*arguments):
        raise ValueError("a plugin's defect")

    return Chains(
        [
            handler("rcpt", recipient, kind),
            handler("queue", queue, kind),
            handler("data_headers_end", nonsense, kind),
            handler("helo", (DENYSOFT, "a\r\nb"), kind),
            handler("noop", nonsense, kind),
        ]
    )


def run(data, blocks, kind):
    """Run a session; returns all that must not depend on how it was fed."""
    choice = data[0] if data else 0
    connection = Connection(
        "192.0.2.1",
        protocol=PROTOCOLS[choice % 2],
        rights=RIGHTS[choice // 2 % 3],
    )
    settings = SessionSettings(
        bare_newline=POLICIES[choice // 6 % 3],
        max_line=512,
        max_text_line=0,
        max_errors=30,
        max_recipients=5,
    )
    queued = []
    session = Session(connection, chains(queued, kind), settings)
    event, out = advance(session)
    for block in blocks:
        if event is CLOSED:
            break
        commands = session.connection.command_counter
        state = session.state
        session.feed(block)
        event, more = advance(session)
        served = session.connection.command_counter - commands
        answered = len(replies(more))
        if len(block) == 1:  # one octet ends one command at most, or one message
            recipients = 5 if connection.protocol == "LMTP" else 1
            assert answered <= 1 + recipients
            if served and state not in {State.DATA, State.PROXY} and recipients == 1:
                assert answered <= 2  # the farewell at a limit comes behind
        out += more
    state = session.state
    if event is NEED_DATA:
        session.feed(b"")
        event, late = advance(session)
        assert late == b""
    assert event is CLOSED
    assert session.transaction is None
    replies(out)
    return out, state, queued, session.counts, session.refusals, connection.remote_ip


def fuzz(data: bytes) -> None:
    """Hold one input to the rule."""
    body = data[1:]
    whole = run(data, [body] if body else [], Kind.PLAIN)
    assert run(data, single(body), Kind.PLAIN) == whole
    cut = len(body) * (data[0] if data else 0) // 256
    halves = [block for block in (body[:cut], body[cut:]) if block]
    assert run(data, halves, Kind.BLOCKING) == whole


def seeds() -> list[bytes]:
    """Read the corpus: Go's format has one literal a line; texts in it get CRLF as well."""
    found = []
    for path in sorted(CORPUS.glob("*/*/*")):
        for literal in re.findall(
            r'^(?:\[\]byte|string)\((".*")\)$', path.read_text(), re.MULTILINE
        ):
            octets = unquote(literal)
            found += [octets, octets.replace(b"\n", b"\r\n")]
    return found


def unquote(literal: str) -> bytes:
    """Read a string literal of Go."""
    simple = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}
    pattern = r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{3})|(.))|([^\\]+)"
    out = b""
    for octet, short, wide, octal, letter, plain in re.findall(pattern, literal[1:-1]):
        if octet or octal:
            out += bytes([int(octet, 16) if octet else int(octal, 8)])
        elif short or wide:
            out += chr(int(short or wide, 16)).encode()
        else:
            out += simple.get(letter, letter.encode()) if letter else plain.encode()
    return out


def mutate(dice: random.Random, corpus: list[bytes]) -> bytes:
    """Make an input: pieces of seeds and words, some octets of it changed."""
    parts = []
    for _ in range(dice.randint(1, 8)):
        if dice.random() < 0.3 and corpus:
            seed = dice.choice(corpus)
            start = dice.randrange(len(seed) + 1)
            parts.append(seed[start : start + dice.randint(0, 200)])
        else:
            parts.append(dice.choice(WORDS))
    if dice.random() < 0.6:
        parts[:0] = [WORDS[0], WORDS[2], *WORDS[3:5], *([WORDS[5]] if dice.random() < 0.5 else [])]
    octets = bytearray(b"".join(parts))
    for _ in range(dice.choice((0, 0, 1, 3))):
        if octets:
            place = dice.randrange(len(octets))
            octets[place : place + dice.randint(0, 2)] = dice.choice(WORDS)[: dice.randint(0, 3)]
    return bytes([dice.randrange(256)]) + bytes(octets)
