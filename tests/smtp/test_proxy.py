import json
from pathlib import Path

import pytest
from tests.smtp.ways import HELLO, State, every_way, make, talk

from qpsmtpd.smtp.proxy import ProxyError, parse

PROXY = {"connection": {"rights": frozenset({"proxy"}), "local_ip": "203.0.113.1"}}
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "proxy-protocol"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 198.51.100.7 203.0.113.9 56324 25\r\n"


def vectors():
    path = CORPUS / "vectors.json"
    return json.loads(path.read_text())["vectors"] if path.exists() else []


def test_the_corpus_is_there(corpus):
    assert (corpus("proxy-protocol") / "vectors.json").exists()
    assert len(vectors()) > 40


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vector(vector):
    header = bytes.fromhex(vector["hex"])
    outcome = every_way(header + (HELLO if vector["expect"] != "incomplete" else b""), **PROXY)
    connection = outcome.session.connection
    if vector["expect"] == "accept":
        assert outcome.codes == [220, 250]
        source = vector["source"] or ["192.0.2.1", 0]
        destination = vector["destination"] or ["203.0.113.1", 0]
        assert [connection.remote_ip, connection.remote_port] == source
        assert [connection.local_ip, connection.local_port] == destination
        assert outcome.state is State.READY
    else:
        assert outcome.octets == b""
        assert "connect" not in outcome.calls
        assert connection.remote_ip == "192.0.2.1"
        expected = State.CLOSED if vector["expect"] == "reject" else State.PROXY
        assert outcome.state is expected


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_each_beginning_of_a_header_is_incomplete(vector):
    header = bytes.fromhex(vector["hex"])
    for end in range(len(header)):
        if vector["expect"] == "reject":
            try:
                assert parse(header[:end]) is None
            except ProxyError:
                break
        else:
            assert parse(header[:end]) is None, end


def test_without_the_right_it_is_no_command():
    outcome = every_way(V1 + HELLO)
    assert outcome.codes == [220, 500, 250]
    assert outcome.session.connection.remote_ip == "192.0.2.1"


def test_a_refused_header_is_logged():
    outcome = every_way(HELLO, **PROXY)
    assert any(text.startswith("no PROXY header from 192.0.2.1: ") for text in outcome.log)
    assert outcome.octets == b""


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP6 ::ffff:198.51.100.7 ::ffff:203.0.113.9 1 25\r\n",
        SIGNATURE
        + b"\x21\x21\0\x24"
        + bytes(10) + b"\xff\xff\xc6\x33\x64\x07"
        + bytes(10) + b"\xff\xff\xcb\x00\x71\x09"
        + b"\0\x01\0\x19",
    ],
    ids=["version 1", "version 2"],
)  # fmt: skip
def test_mapped_addresses_are_spelled_as_ipv4(header):
    connection = every_way(header + HELLO, **PROXY).session.connection
    assert (connection.remote_ip, connection.local_ip) == ("198.51.100.7", "203.0.113.9")


@pytest.mark.parametrize("extensions", [b"\x04", b"\x04\0", b"\x04\0\x05ab"])
def test_a_cut_extension_is_refused(extensions):
    block = b"\xc6\x33\x64\x07\xcb\0\x71\x09\0\x01\0\x19" + extensions
    with pytest.raises(ProxyError):
        parse(SIGNATURE + b"\x21\x11" + len(block).to_bytes(2, "big") + block)


def test_the_header_is_waited_for_as_long_as_proxies_may_take():
    session = make(connection={"rights": frozenset({"proxy"})}, command_timeout=300)
    assert talk(session) == b""
    assert (session.state, session.time_limit) == (State.PROXY, session.settings.proxy_timeout)
    talk(session, V1)
    assert (session.state, session.time_limit) == (State.HELLO, 300)
    assert session.steps == 1


@pytest.mark.parametrize("how", ["timeout", "shutdown"])
def test_before_the_header_nothing_is_said(how):
    session = make(connection={"rights": frozenset({"proxy"})})
    talk(session, b"PROXY ")
    getattr(session, how)()
    assert talk(session) == b""
    assert session.state is State.CLOSED


def test_a_client_with_too_many_connections_is_refused():
    session = make(connection={"rights": frozenset({"proxy"})})
    session.connection.mover = lambda ip: ip != "198.51.100.7"
    assert talk(session, V1 + HELLO) == (
        b"421 Too many connections from your address, try later\r\n"
    )
    assert session.state is State.CLOSED


def test_what_was_looked_up_of_the_proxy_is_forgotten():
    described = {**PROXY["connection"], "remote_host": "lb.example.net"}
    outcome = every_way(V1 + HELLO, connection=described)
    assert outcome.session.connection.remote_host == ""
    assert outcome.replies[1].startswith("250-localhost Hi Unknown [198.51.100.7]")
