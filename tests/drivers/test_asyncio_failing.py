"""Mistakes of ours: each costs one session only."""

import asyncio

import pytest
from tests.drivers.loopback import CLOSING, Gate, run, serving, until
from tests.smtp.ways import HELLO, MAIL

from qpsmtpd.constants import OK


class DefectError(Exception):
    """A mistake."""


def fail(*arguments, **options):
    raise DefectError


class Failing:
    """A session that fails where one of its attributes is used."""

    def __init__(self, session, name):
        self.session, self.name = session, name

    def __getattr__(self, name):
        if name == self.name:
            raise DefectError
        return getattr(self.session, name)


def complaints(server):
    return [text for text in server.log.texts if text.startswith("the session failed")]


@pytest.mark.parametrize("name", ["input", "resume", "out", "abandon"])
def test_wherever_a_session_fails_it_leaves_nothing_behind(loops, name):
    async def main():
        heard = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: heard.append(what))
        async with serving() as server:
            client, other = await server.connect(), await server.connect()
            assert await client.codes(1) + await other.codes(1) == [220, 220]
            protocol = server.protocols[0]
            protocol.session = Failing(protocol.session, name)
            await client.send(b"NOOP\r\n")
            if name == "abandon":
                assert await client.codes(1) == [250]
            client.reset()
            await until(lambda: server.gone)
            assert len(server.sessions.live) == 1
            await other.send(b"NOOP\r\n")
            assert await other.codes(1) == [250]
            assert len(server.gone) == 1
            assert complaints(server) or heard

    run(main, loops)


@pytest.mark.parametrize("lost", [False, True])
def test_a_session_that_fails_behind_a_waiting_hook(loops, lost):
    async def main():
        gate = Gate("queue" if lost else "mail", OK)
        async with serving([gate.handler, "rcpt"]) as server:
            client = await server.connect()
            assert await client.codes(1) == [220]
            protocol = server.protocols[0]
            session, protocol.session = protocol.session, Failing(protocol.session, "data_to_send")
            message = b"RCPT TO:<b@example.org>\r\nDATA\r\n\r\n.\r\n" if lost else b""
            await client.send(HELLO + MAIL + message)
            await until(lambda: gate.entered)
            if lost:
                client.reset()
                await until(lambda: server.gone)
            gate.event.set()
            await until(lambda: complaints(server))
            await until(lambda: not server.sessions.live)
            assert len(server.gone) == len(server.finished) == 1
            session.transaction = None  # nobody could see to that

    run(main, loops)


def test_the_account_of_a_session_may_fail_too(loops):
    async def main():
        async with serving(sessions={"finished": fail}) as server:
            client = await server.connect()
            await client.send(b"QUIT\r\n")
            await until(lambda: server.gone)
            assert complaints(server) == [
                "the session failed and is cut off: DefectError()",
            ]
            assert not server.sessions.live

    run(main, loops)


def test_closing_hooks_run_when_a_proxy_header_is_none(loops):
    async def main():
        async with serving(rights={"proxy"}) as server:
            client = await server.connect()
            await client.send(b"EHLO a\r\n")
            assert await client.rest() == []
            assert server.calls == CLOSING[1:]
            client.close()
            await until(lambda: server.gone)

    run(main, loops)
