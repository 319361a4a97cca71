import argparse
import io
import re
import sys

import pytest

from qpsmtpd.cli import try_plugin


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command with a configuration of its own; returns exit code, output, complaints."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "me").write_text("mx.example.org\n")
    (config / "rcpthosts").write_text("example.org\n")
    monkeypatch.setenv("QMAIL", str(tmp_path / "qmail"))

    def run_command(*words, **files):
        for name, text in files.items():
            (config / name).write_text(text)
        parser = argparse.ArgumentParser()
        try_plugin.add_parsers(parser.add_subparsers(required=True))
        arguments = parser.parse_args(["try", "--config-dir", str(config), *words])
        code = arguments.command(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


def told(out):
    """Return the answers of handlers as (hook, plugin, answer)."""
    return re.findall(r"^    (\w+) +(\(.*\)|[\w:]+) +(\w+) +[\d.]+ ms", out, re.MULTILINE)


def test_the_configured_plugins_take_a_message(run, tmp_path):
    maildir = tmp_path / "Maildir"
    code, out, err = run(
        *("--to", "user@example.org", "--to", "user@example.com"),
        plugins=f"earlytalker\nrcpt_ok\nqueue/maildir {maildir}\n",
    )
    assert (code, err) == (0, "")
    assert told(out) == [
        ("connect", "reverse_lookup", "DECLINED"),
        ("connect", "earlytalker", "DECLINED"),
        ("rcpt", "rcpt_ok", "OK"),
        ("rcpt", "rcpt_ok", "DENY"),
        ("queue", "memory_queue", "OK"),
    ]
    assert "and 1 s of waiting" in out
    assert "C: RCPT TO:<user@example.com>\n" in out
    assert "S: 550 5.7.1 Relaying denied\n" in out
    assert re.search(r"^C: \(the message, \d+ octets\)$", out, re.MULTILINE)
    assert out.endswith(
        "-- not found in DNS (see --dns): 1.2.0.192.in-addr.arpa PTR\n"
        "-- taken, for <user@example.org>\n"
    )
    assert not maildir.exists()


def test_plugins_of_the_command_line_refuse_it(run, tmp_path):
    (tmp_path / "busy.py").write_text(
        "from qpsmtpd.plugin import DENYSOFT\n"
        "def hook_connect(plugin, connection): return DENYSOFT, 'busy\\nvery busy'\n"
    )
    files = {"plugin_dirs": f"{tmp_path}\n", "plugins": "nonsense\n"}
    code, out, _ = run("noop_counter", "earlytalker wait=5", "busy", **files)
    assert code == 1
    assert ("connect", "busy", "DENYSOFT") in told(out)
    assert " busy / very busy\n" in out
    assert "S: 450-busy\nS: 450 very busy\n" in out
    assert "and 5 s of waiting" in out
    assert "EHLO" not in out
    assert out.endswith("-- refused\n")


def test_a_recipient_nobody_decides_about_is_taken(run):
    code, out, _ = run("noop_counter", "--from", "", "--helo", "me.example.net")
    assert code == 0
    assert ("rcpt", "(nobody decided)", "OK") in told(out)
    assert "C: EHLO me.example.net\n" in out
    assert "C: MAIL FROM:<>\n" in out
    assert out.endswith("-- taken, for <postmaster@mx.example.org>\n")


def test_a_session_stops_where_it_makes_no_sense_to_go_on(run, tmp_path):
    (tmp_path / "grim.py").write_text(
        "from qpsmtpd.plugin import DENY\n"
        "def hook_ehlo(plugin, connection, host): return DENY\n"
        "def hook_mail(plugin, transaction, sender, params): return DENY, 'no'\n"
    )
    code, out, _ = run("grim", plugin_dirs=f"{tmp_path}\n")
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("C: ")] == [
        "C: EHLO client.example.net",
        "C: HELO client.example.net",
        "C: MAIL FROM:<sender@example.net>",
        "C: QUIT",
    ]


def test_handlers_of_every_kind_are_shown_with_their_trouble(run, tmp_path):
    (tmp_path / "odd.py").write_text(
        "from qpsmtpd.plugin import DECLINED, LOGINFO, blocking\n"
        "def hook_connect(plugin, connection): raise KeyError('x')\n"
        "@blocking\n"
        "def hook_ehlo(plugin, connection, host): return 'what'\n"
        "async def hook_mail(plugin, transaction, sender, params):\n"
        "    await plugin.process.run(['/bin/date'])\n"
        "async def hook_data(plugin, transaction):\n"
        "    plugin.log(LOGINFO, 'a quiet word', transaction)\n"
    )
    code, out, _ = run("odd", plugin_dirs=f"{tmp_path}\n")
    assert code == 0
    for hook, answer in (("connect", "failed"), ("ehlo", "failed"), ("mail", "failed")):
        assert (hook, "odd", answer) in told(out)
    assert ("data", "odd", "DECLINED") in told(out)
    assert "KeyError: 'x'" in out
    assert "returned 'what', which is no result" in out
    assert "qpsmtpd try runs no programs, so not /bin/date" in out
    assert "log: (connect) odd: FATAL PLUGIN ERROR [odd]: 'x'" in out
    assert "a quiet word" not in out
    _, out, _ = run("odd", "-v")
    assert "log: (data) odd: a quiet word" in out


def test_a_message_from_a_file(run, tmp_path, monkeypatch):
    file = tmp_path / "message"
    file.write_bytes(b"Subject: x\r\n\r\n.\r\nbody\r\n")
    code, out, _ = run("rcpt_ok", "--to", "user@example.org", "--message", str(file))
    assert code == 0
    assert "C: (the message, 27 octets)" in out  # a dot was doubled, and the end is three octets
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Subject: x\n\n\n")))
    code, out, _ = run("rcpt_ok", "--to", "user@example.org", "--message", "-")
    assert code == 0
    assert "C: (the message, 19 octets)" in out


LOOKS = """\
from qpsmtpd.plugin import DENY
async def hook_connect(plugin, connection):
    mx = await plugin.dns.mx('example.org')
    txt = await plugin.dns.txt('example.org')
    bad = await plugin.dns.query('broken.example.org', 'A')
    return DENY, f'{connection.remote_host} {mx.records} {txt.records} {bad.status.name}'
"""


def test_dns_from_a_file(run, tmp_path):
    (tmp_path / "looks.py").write_text(LOOKS)
    file = tmp_path / "dns"
    file.write_text(
        "# what there is\n"
        "\n"
        "192.0.2.9 PTR mail.example.net\n"
        "example.org MX 10 one.example.org\n"
        "example.org mx 20 two.example.org\n"
        'example.org TXT "v=spf1 -all"\n'
        "broken.example.org FAIL\n"
    )
    _, out, _ = run(
        *("looks", "--ip", "192.0.2.9", "--dns", str(file)), plugin_dirs=f"{tmp_path}\n"
    )
    assert (
        "S: 550 mail.example.net ((10, 'one.example.org'), (20, 'two.example.org')) "
        "('v=spf1 -all',) SERVFAIL\n"
    ) in out
    assert "-- not found in DNS (see --dns): broken.example.org A\n" in out


def test_the_name_of_the_client_may_be_given(run):
    _, out, _ = run("noop_counter", "--host", "mail.example.net")
    assert "Hi mail.example.net [192.0.2.1]" in out
    assert "not found in DNS" not in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nonsense"], "no plugin 'nonsense'"),
        (["noop_counter many"], "argument maximum"),
        (["noop_counter", "--ip", "everywhere"], "--ip: 'everywhere'"),
        (["noop_counter", "--dns", "/nowhere/dns"], "/nowhere/dns"),
        (["noop_counter", "--message", "/nowhere/message"], "/nowhere/message"),
    ],
)
def test_what_cannot_be_tried_is_told(run, words, complaint):
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith("qpsmtpd: ")
    assert complaint in err


@pytest.mark.parametrize(
    "line", ["example.org", "example.org NONE x", "example.org MX mx", "a.b MX"]
)
def test_a_bad_line_of_the_dns_file_is_told(run, tmp_path, line):
    file = tmp_path / "dns"
    file.write_text(f"\n{line}\n")
    code, _, err = run("noop_counter", "--dns", str(file))
    assert code == 2
    assert f"{file}:2: " in err
