import errno
import os
import socket

import pytest

from qpsmtpd.deploy.sources import Listener, Spec, adopt, open_listeners, parse
from qpsmtpd.errors import ConfigError


@pytest.fixture
def opened():
    found = []

    def open_them(*texts, passed=()):
        found.extend(open_listeners([parse(text, 0) for text in texts], 10, passed))
        return found

    yield open_them
    for listener in found:
        listener.close()


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("127.0.0.1", Spec("127.0.0.1", 2525, {})),
        ("127.0.0.1:25", Spec("127.0.0.1", 25, {})),
        ("[::]:465 tls", Spec("::", 465, {"tls": ""})),
        ("[::1]", Spec("::1", 2525, {})),
        (
            "mx-1.example:587 tls name=submission",
            Spec("mx-1.example", 587, {"tls": "", "name": "submission"}),
        ),
        ("unix:/run/smtp mode=0660", Spec("/run/smtp", -1, {"mode": "0660"})),
        ("systemd:smtps tls", Spec("smtps", -2, {"tls": ""})),
        ("systemd", Spec("", -2, {})),
    ],
)
def test_addresses(text, spec):
    found = parse(text, 2525)
    assert found == spec
    assert parse(found.address, 2525)._replace(options=spec.options) == spec


@pytest.mark.parametrize(
    "text", ["", ":25", "::1:25", "[::1", "[::1]25", "a:b", "a:99999", "[]:25", "a:²"]
)
def test_addresses_that_cannot_be_read(text):
    with pytest.raises(ConfigError, match="cannot read the address"):
        parse(text, 25)


def test_listeners_do_not_block_and_do_not_delay(opened):
    (listener,) = opened("127.0.0.1")
    assert listener.socket.gettimeout() == 0
    assert listener.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert listener.local == listener.socket.getsockname()
    assert listener.name == listener.address == f"127.0.0.1:{listener.local[1]}"


def test_the_ipv6_wildcard_takes_ipv4_too(opened):
    (listener,) = opened("[::]")
    assert listener.local is None
    with socket.create_connection(("127.0.0.1", listener.socket.getsockname()[1])):
        pass


def test_both_wildcards_on_one_port(opened, free_port):
    opened(f"[::]:{free_port}", f"0.0.0.0:{free_port}")


def test_the_ipv6_wildcard_alone(opened):
    (listener,) = opened("[::] v6only")
    with pytest.raises(ConnectionRefusedError), socket.socket() as client:
        client.connect(("127.0.0.1", listener.socket.getsockname()[1]))


def test_a_busy_port(opened):
    (listener,) = opened("127.0.0.1")
    with pytest.raises(ConfigError, match="another program listens there; stop it"):
        open_listeners([parse(f"127.0.0.1:{listener.local[1]}", 0)], 10)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "ports below 1024 are root's; start as root with --user"),
        (errno.EADDRNOTAVAIL, "this machine has no such address"),
        (errno.EAFNOSUPPORT, "this machine has no IPv6"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_other_ways_to_fail(monkeypatch, number, advice):
    def bind(self, address):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(ConfigError, match=advice):
        open_listeners([parse("127.0.0.1:25", 0)], 10)


def test_one_that_fails_closes_the_others(opened, free_port):
    (listener,) = opened("127.0.0.1")
    busy = f"127.0.0.1:{listener.local[1]}"
    with pytest.raises(ConfigError):
        open_listeners([parse(f"127.0.0.1:{free_port}", 0), parse(busy, 0)], 10)
    opened(f"127.0.0.1:{free_port}")


def test_a_unix_socket_of_a_dead_daemon_is_replaced(opened, tmp_path):
    path = tmp_path / "smtp"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (listener,) = opened(f"unix:{path} mode=0622")
    assert path.stat().st_mode & 0o777 == 0o622
    assert listener.local == ("", 0)
    listener.close()
    assert not path.exists()


def test_a_unix_socket_of_a_living_daemon_is_not_touched(opened, tmp_path):
    path = tmp_path / "smtp"
    opened(f"unix:{path}")
    with pytest.raises(ConfigError, match="another program listens there"):
        open_listeners([parse(f"unix:{path}", 0)], 10)
    assert path.exists()


def test_a_file_in_the_way_of_a_unix_socket_is_not_touched(tmp_path):
    path = tmp_path / "smtp"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="another program listens there"):
        open_listeners([parse(f"unix:{path}", 0)], 10)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("unix:relative", "path absolute"),
        ("unix:/tmp/x mode=9", "mode like 0660"),
        ("unix:/nonexistent/smtp", "its directory does not exist; create it"),
        ("systemd", "systemd has passed no such socket"),
        ("127.0.0.256", "cannot listen on 127.0.0.256:0"),
    ],
)
def test_what_cannot_be_opened(text, advice, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match=advice):
        open_listeners([parse(text, 0)], 10)


def test_sockets_of_another_process_are_not_adopted():
    assert adopt({}) == []
    assert adopt({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert adopt({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())}) == []


def test_passed_sockets_are_chosen_by_name(opened):
    passed = []
    for name in ("smtp", "smtps"):
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        passed.append(Listener(listening, "127.0.0.1:1", {}, name))
    found = opened("systemd:smtps tls proxy", "systemd:smtp", passed=passed)
    assert [listener.name for listener in found] == ["smtps", "smtp"]
    assert found[0].options == {"tls": "", "proxy": ""}
    assert found[0].proxy
    assert found[1].described == {"name": "smtp", "address": "127.0.0.1:1", "options": {}}
