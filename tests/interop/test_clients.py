"""Real clients send mail to the running daemon; what is stored is what they were given."""

import smtplib
import socket
import subprocess

import pytest
from tests.interop.daemon import running, split
from tests.interop.postfix import relay

SENDER = "sender@example.net"
RECIPIENT = "user@example.org"

HEAD = (
    b"From: Sender <sender@example.net>\n"
    b"To: user@example.org\n"
    b"Subject: one\n"
    b"Date: Mon, 23 Nov 2026 07:00:00 +0000\n"
    b"Message-ID: <1@example.net>\n"
)
MESSAGES = {
    "plain": HEAD + b"\nHello.\n",
    "no-body": HEAD + b"\n",
    "dots": HEAD + b"\n.\n..\n.first\nmiddle.\n\n.\n...\n",
    "folded": HEAD + b"X-Long: a\n\t b\n  c \nX-Empty:\n\ntext\n",
    "blank-lines": HEAD + b"\n\n\n text \n\n\n",
    "8bit": HEAD + "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\nGrüße\n".encode(),
    "long-lines": HEAD + b"\n" + b"x" * 998 + b"\n." + b"y" * 997 + b"\n",
    "large": HEAD + b"\n" + b"0123456789" * 7 + b"\n" + (b".line of a large message\n" * 40_000),
}


#: what a client wants to be given, where that is not the message with line feeds
AS_WANTED = {
    "curl": lambda message: message.replace(b"\n", b"\r\n"),  # sends line ends as they are
    "swaks": lambda message: message.removesuffix(b"\n"),  # ends the last line itself
}
#: what a client adds to the end of a message
ADDED_BY = {"smtp-source": b"\n"}
CLIENTS = ["smtplib", "swaks", "curl", "msmtp", "smtp-source", "postfix"]
CASES = [
    (client, name)
    for client in CLIENTS
    for name in MESSAGES
    if (client, name) != ("swaks", "no-body")  # swaks gives such a message an empty line as body
]


@pytest.fixture(scope="module")
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def one_daemon(port):
    with running(port) as daemon:
        yield daemon


@pytest.fixture
def daemon(one_daemon):
    one_daemon.forget()
    return one_daemon


@pytest.fixture(scope="module")
def postfix(needs, needs_root, one_daemon):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with relay(needs("postfix", "postfix"), port, one_daemon.port):
        yield port


def run(command, text=b""):
    done = subprocess.run(command, input=text, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")[-2000:]


def send_with_smtplib(port, message, sender=SENDER, recipients=(RECIPIENT,)):
    with smtplib.SMTP(
        "127.0.0.1", port, local_hostname="client.example.net", timeout=30
    ) as client:
        client.sendmail(sender, list(recipients), message.replace(b"\n", b"\r\n"))
    return message


@pytest.fixture
def send(request, needs, daemon, tmp_path):
    """Give a function that sends one message with one client, and returns what it sent."""
    address, file = f"127.0.0.1:{daemon.port}", tmp_path / "message"
    client = request.param
    if client in {"smtplib", "postfix"}:
        port = request.getfixturevalue("postfix") if client == "postfix" else daemon.port
        return lambda message: send_with_smtplib(port, message)
    program = needs(client, {"smtp-source": "postfix"}.get(client, client))
    commands = {
        "swaks": [
            *(program, "--server", address, "--helo", "client.example.net"),
            *("--from", SENDER, "--to", RECIPIENT, "--data", f"@{file}"),
        ],
        "curl": [
            *(
                program,
                "--silent",
                "--show-error",
                "--url",
                f"smtp://{address}/client.example.net",
            ),
            *("--mail-from", SENDER, "--mail-rcpt", RECIPIENT, "--upload-file", str(file)),
        ],
        "msmtp": [
            *(program, "--file=/dev/null", "--host=127.0.0.1", f"--port={daemon.port}"),
            *("--domain=client.example.net", "--auto-from=off", f"--from={SENDER}"),
            *("--set-date-header=off", "--set-msgid-header=off", "--", RECIPIENT),
        ],
        "smtp-source": [
            *(program, "-M", "client.example.net", "-f", SENDER, "-t", RECIPIENT),
            *("-F", str(file), address),
        ],
    }

    def send_with_program(message):
        file.write_bytes(AS_WANTED.get(client, bytes)(message))
        run(commands[client], message if client == "msmtp" else b"")
        return message + ADDED_BY.get(client, b"")

    return send_with_program


@pytest.mark.parametrize(("send", "name"), CASES, indirect=["send"])
def test_a_message_arrives_as_it_was_sent(send, daemon, name):
    sent = send(MESSAGES[name])
    (stored,) = daemon.wait_for(1)
    fields = split(stored, sent)
    assert fields[b"return-path"] == [b"<sender@example.net>"]
    assert fields[b"delivered-to"] == [b"user@example.org"]
    assert b"example.net" in fields[b"received"][0]


def test_a_null_sender_and_several_recipients(daemon):
    recipients = ["one@example.org", "two@example.org"]
    send_with_smtplib(daemon.port, MESSAGES["plain"], "", recipients)
    (stored,) = daemon.wait_for(1)
    fields = split(stored, MESSAGES["plain"])
    assert fields[b"return-path"] == [b"<>"]
    assert sorted(fields[b"delivered-to"]) == [b"one@example.org", b"two@example.org"]


def test_nothing_is_relayed(daemon):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send_with_smtplib(daemon.port, MESSAGES["plain"], SENDER, ["user@elsewhere.example"])
    assert refused.value.recipients["user@elsewhere.example"][0] == 550


def test_many_clients_at_once_lose_nothing(daemon, needs):
    program = needs("smtp-source", "postfix")
    address = f"127.0.0.1:{daemon.port}"
    run([program, "-s", "20", "-m", "200", "-l", "2048", "-f", SENDER, "-t", RECIPIENT, address])
    assert len(daemon.wait_for(200)) == 200
