import re

import pytest

from qpsmtpd.testing.dialog import Arrival, Dialog, DialogError, DialogSyntaxError


class Script:
    """A server that says what a test has it say, reply by reply."""

    def __init__(self, *said, closes=False):
        self.said = list(said)
        self.closes = closes
        self.sent = []
        self.waited = []
        self.arrivals = []
        self.message = b""

    def connect(self, arrival):
        self.arrivals.append(arrival)
        return self

    def send(self, data):
        self.sent.append(data)

    def receive(self):
        return self.said.pop(0) if self.said else b""

    @property
    def closed(self):
        return self.closes and not self.said

    def close(self):
        self.sent.append(None)

    def wait(self, seconds):
        self.waited.append(seconds)

    def queued(self):
        return self.message


def test_the_head_of_a_dialog():
    dialog = Dialog(
        "# why\n"
        "plugin: rcpt_ok\n"
        "plugin: noop_counter 3\n"
        "config rcpthosts: example.org\n"
        "config rcpthosts: example.net\n"
        "config me: mx\n"
        "client: 192.0.2.9 host.example.net\n"
        "protocol: LMTP\n"
        "listener: proxy\n"
        "early: QUIT\\r\\n\n"
        "way: whole\n"
        "\n"
        "S: 220 hello\n",
        "some/where.smtp",
    )
    assert dialog.plugins == ["rcpt_ok", "noop_counter 3"]
    assert dialog.config == {"rcpthosts": ["example.org", "example.net"], "me": ["mx"]}
    assert dialog.arrival == Arrival(
        "192.0.2.9", "host.example.net", "LMTP", proxy=True, early=b"QUIT\r\n"
    )
    assert (dialog.name, dialog.plugin_dir, dialog.whole) == ("where", "some/plugins", True)
    assert repr(dialog) == "<Dialog where>"


def test_lines_of_one_side_go_together():
    server = Script(b"220 hello\r\n", b"250 a\r\n250 b\r\n")
    Dialog("S: 220 hello\nC: NO\\tOP\nC~ \\x00\\xe4\\\\ä\nC* ab*3\nS: 250 a\nS~ 250 .\n").run(
        server
    )
    assert server.sent == [b"NO\tOP\r\n\x00\xe4\\" + "ä".encode() + b"ababab\r\n", None]


def test_octet_by_octet():
    dialog = Dialog("C: AB\nS: 250 a\n")
    server = Script(b"250 a\r\n")
    dialog.run(server, octets=True)
    assert server.sent == [b"A", b"B", b"\r", b"\n", None]
    dialog.whole = True
    server = Script(b"250 a\r\n")
    dialog.run(server, octets=True)
    assert server.sent == [b"AB\r\n", None]


def test_replies_may_come_in_pieces():
    Dialog("S: 220 hello\nS* 250\nS: 221 ä\n").run(
        Script(b"220 he", b"llo\r\n250-", b"one\r\n250-two\r\n250", b" three\r\n221 \xc3\xa4\r\n")
    )


def test_a_new_connection_after_close_and_closed():
    server = Script(b"220 one\r\n", b"220 two\r\n", b"220 three\r\n", closes=True)
    Dialog(
        "S: 220 one\nclose\nS: 220 two\nwait 1.5\nclient: 192.0.2.7\nS: 220 three\nclosed\n"
    ).run(server)
    assert [arrival.ip for arrival in server.arrivals] == ["192.0.2.1", "192.0.2.1"]
    assert server.waited == [1.5]
    assert server.sent == [None, None]


def test_the_message_in_the_queue():
    server = Script(b"220 x\r\n")
    server.message = b"Received: x\nSubject: y\n\nbody\n\n"
    Dialog("S: 220 x\nQ: Subject: y\nQ:\nQ: body\nQ:\n").run(server)
    server.said.append(b"220 x\r\n")
    with pytest.raises(DialogError, match="the message is"):
        Dialog("S: 220 x\nQ: Subject: z\nQ:\nQ: body\nQ:\n").run(server)


@pytest.mark.parametrize(
    ("text", "said", "reason"),
    [
        (
            "S: 220 hello\n",
            [b"220 Hello\r\n"],
            "dialog:1: S: 220 hello\nthe server said: 220 Hello",
        ),
        ("S~ 22.\n", [b"220 hello\r\n"], "the server said"),
        ("S* 220\n", [b"221 hello\r\n"], "the server said"),
        ("S* 220\n", [b"220-a\r\n221 b\r\n"], "the server said"),
        ("S: 220 a\nS: 220 b\n", [b"220 a\r\n"], "dialog:2: S: 220 b\nthe server sent nothing"),
        ("S: 220 a\nC: x\n", [b"220 a\r\n250 b\r\n"], "the server said more: 250 b"),
        ("S: 220 a\n", [b"220 a\r\n250 b\r\n"], "the server said more: 250 b"),
        ("S: 220 a\nclosed\n", [b"220 a\r\n"], "the server has not ended the connection"),
    ],
)
def test_what_should_not_be_is_told(text, said, reason):
    server = Script(*said)
    with pytest.raises(DialogError, match=re.escape(reason)):
        Dialog(text).run(server)
    assert server.sent[-1] is None


def test_a_server_that_closes_early_is_told():
    with pytest.raises(DialogError, match="the server closed the connection"):
        Dialog("S: 220 a\nS: 250 b\n").run(Script(b"220 a\r\n", closes=True))


def test_words_behind_the_end_are_told():
    class Talker(Script):
        @property
        def closed(self):
            return True

    with pytest.raises(DialogError, match="the server said more: 221 b"):
        Dialog("S: 220 a\nclosed\n").run(Talker(b"220 a\r\n", b"221 b\r\n"))


@pytest.mark.parametrize(
    "line",
    ["X: what", "C: \\q", "C* no number", "S~ (", "wait", "wait x", "config", "CC: x", "plugin"],
)
def test_a_line_that_cannot_be_read_is_told(line):
    with pytest.raises(DialogSyntaxError, match=r"^file:2: "):
        Dialog(f"# why\n{line}\n", "file")
