"""A worker of the event-loop model: takes clients from the shared listeners, many at a time.

Rule: nothing that goes wrong with one client, or with taking it, ends or spins the loop.

Clients are accepted here and not by the loop's own server, so that one over a limit costs no
transport, and so that running out of descriptors is answered instead of repeated.
"""

import asyncio
import errno
import faulthandler
import os
import resource
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qpsmtpd.constants import LOGCRIT, LOGERROR, LOGINFO, LOGWARN
from qpsmtpd.deploy.client import Client
from qpsmtpd.deploy.exits import Exit
from qpsmtpd.deploy.limits import Limits
from qpsmtpd.hooks import watchdog

if TYPE_CHECKING:
    from qpsmtpd.deploy.channel import Channel
    from qpsmtpd.deploy.contract import Engine, ServedProtocol
    from qpsmtpd.deploy.options import Options
    from qpsmtpd.deploy.scoreboard import Row
    from qpsmtpd.deploy.sources import Listener
    from qpsmtpd.hooks.verdict import Verdict

__all__ = ["run_worker"]

#: clients taken at one wake-up, so that those already served are not kept waiting
BATCH: Final = 20
#: seconds without accepting after the system had no descriptor or memory left
PAUSE: Final = 0.5
#: seconds between two log lines about that
QUIET: Final = 60.0
#: seconds between two signs of life
HEARTBEAT: Final = 1.0
#: seconds ``Engine.stop`` may take
STOP_TIMEOUT: Final = 5.0

_NO_DESCRIPTOR: Final = {errno.EMFILE, errno.ENFILE}
_NO_MEMORY: Final = {errno.ENOMEM, errno.ENOBUFS}
_BUSY: Final = "4.3.2 Too busy, please try again later"
_CLOSING: Final = "4.3.2 Service shutting down, please try again later"


def new_loop() -> asyncio.AbstractEventLoop:
    """Make uvloop's loop where it is installed, asyncio's own elsewhere."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_worker(
    engine: "Engine",
    listeners: "list[Listener]",
    row: "Row",
    channel: "Channel",
    options: "Options",
) -> int:
    """Serve clients until the generation says that it is enough, or is gone; see ``Serve``."""
    faulthandler.enable()  # SIGABRT, which a stuck worker gets, shows where it is stuck
    # a handler that hangs is ended before the worker is taken for dead
    watchdog.start(most=options.worker_timeout / 2 or float("inf"))
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(Worker(engine, listeners, row, channel, options).serve())
    finally:
        watchdog.stop()


def room_for_sessions() -> int:
    """How many sessions to take at a time, so that files they need can still be opened.

    Sessions have files and sockets of their own: a quarter of what is free now is for those.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, (limit - len(os.listdir("/proc/self/fd"))) * 3 // 4)  # noqa: PTH208 - cheap


class Worker:
    """One process, one loop."""

    def __init__(
        self,
        engine: "Engine",
        listeners: "list[Listener]",
        row: "Row",
        channel: "Channel",
        options: "Options",
    ) -> None:
        self.engine = engine
        self.listeners = listeners
        self.row = row
        self.channel = channel
        self.options = options
        self.limits = Limits(
            row, options.connections, options.connections_per_ip, options.ipv6_prefix
        )
        self.most = 0  #: sessions at a time, as descriptors allow
        self.sessions: dict[Client, ServedProtocol] = {}
        self.reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.complained = -QUIET
        self.accepting = False
        self.draining = False

    async def serve(self) -> int:
        """Serve until told to end.

        Returns:
            An exit code.
        """
        self.loop = loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.row.set("heartbeat", time.monotonic_ns() // 1_000_000)
        await self.engine.start()
        self.most = room_for_sessions()
        self.beat()
        for number, action in (
            (signal.SIGTERM, partial(self.drain, self.options.graceful_timeout)),
            (signal.SIGINT, self.stop),
            (signal.SIGQUIT, self.stop),
            (signal.SIGUSR1, self.engine.reopen),
        ):
            loop.add_signal_handler(number, action)
        loop.add_reader(self.channel.fileno(), self.obey)
        self.resume()
        self.channel.send(event="ready")
        await self.ended
        self.pause()
        loop.remove_reader(self.channel.fileno())
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self.engine.stop()
        except Exception as error:  # noqa: BLE001 - the worker ends in any case
            self.log(LOGERROR, f"worker {os.getpid()} could not end cleanly: {error!r}")
        return Exit.OK

    def log(self, level: int, text: str) -> None:
        """Write a line of the worker's own."""
        self.engine.logger.log(level, text)

    # What the generation says

    def obey(self) -> None:
        """Do what the generation asks for; finish what is in hand if it is gone."""
        messages = self.channel.receive()
        if messages is None:
            self.loop.remove_reader(self.channel.fileno())
            if not self.draining:
                self.log(LOGWARN, f"worker {os.getpid()} lost its owner and finishes its sessions")
            self.drain(self.options.graceful_timeout)
            return
        for message in messages:
            match message.get("do"):
                case "drain":
                    self.drain(message.get("grace"), final=bool(message.get("final")))
                case "stop":
                    self.stop()
                case "reopen":
                    self.engine.reopen()

    def drain(self, grace: float | None = None, *, final: bool = False) -> None:
        """Take no more clients; end with the last session.

        Args:
            grace: seconds until sessions are asked to end; None: they end when they like.
            final: nobody will take the clients who wait in the kernel, so tell them.
        """
        if grace is not None:
            self.loop.call_later(grace, self.finish)
        if final:
            self.turn_away()
        if not self.draining:
            self.draining = True
            self.pause()
            for listener in self.listeners:
                listener.socket.close()
        self.end_when_idle()

    def turn_away(self) -> None:
        """Answer 421 to the clients that were not taken yet."""
        for listener in self.listeners:
            if listener.socket.fileno() >= 0:
                with suppress(OSError):  # usually: nobody is waiting
                    while True:
                        refuse(listener.socket.accept()[0], 421, _CLOSING)

    def finish(self) -> None:
        """Ask the sessions to end at their next command."""
        for protocol in list(self.sessions.values()):
            protocol.shutdown()
        self.loop.call_later(self.options.finish_timeout, self.abort)

    def stop(self) -> None:
        """End now; a session that is at a command boundary gets its 421."""
        self.drain(final=True)
        for protocol in list(self.sessions.values()):
            protocol.shutdown()
        self.loop.call_soon(self.abort)

    def abort(self) -> None:
        """End the sessions that would not."""
        if self.sessions:
            self.log(LOGWARN, f"{len(self.sessions)} sessions are cut short")
        for protocol in list(self.sessions.values()):
            protocol.abort()
        self.loop.call_later(HEARTBEAT, self.end)

    def end_when_idle(self) -> None:
        """End if there is nothing left to do."""
        if self.draining and not self.sessions:
            self.end()

    def end(self) -> None:
        """Let ``serve`` return."""
        if not self.ended.done():
            self.ended.set_result(None)

    # Taking clients

    def resume(self) -> None:
        """Accept clients, from now on or again."""
        if not self.accepting and not self.draining:
            self.accepting = True
            for listener in self.listeners:
                self.loop.add_reader(listener.socket.fileno(), self.accept, listener)

    def pause(self) -> None:
        """Leave clients to the kernel, or to other workers."""
        if self.accepting:
            self.accepting = False
            for listener in self.listeners:
                self.loop.remove_reader(listener.socket.fileno())

    def accept(self, listener: "Listener") -> None:
        """Take the clients that wait at a listener, up to a batch."""
        for _ in range(BATCH):
            try:
                connected, peer = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR | _NO_MEMORY:
                    self.exhausted(listener, error)
                    return
                continue  # that client is gone already: ECONNABORTED and the like
            try:
                self.admit(listener, connected, peer)
            except Exception as error:  # noqa: BLE001 - costs this client only
                self.log(LOGCRIT, f"cannot serve {peer}: {error!r}")
                refuse(connected, 421, _BUSY)

    def exhausted(self, listener: "Listener", error: OSError) -> None:
        """Answer some of the waiting clients with the descriptor kept for it, then rest."""
        now = self.loop.time()
        if now - self.complained >= QUIET:
            self.complained = now
            self.log(
                LOGERROR,
                f"cannot accept connections: {error.strerror}; {len(self.sessions)} are open "
                "here. Raise the limit of open files (LimitNOFILE=, ulimit -n) or lower "
                "`connections`",
            )
        if error.errno in _NO_DESCRIPTOR and self.reserve >= 0:
            for _ in range(BATCH):
                os.close(self.reserve)
                self.reserve = -1
                try:
                    refuse(listener.socket.accept()[0], 421, _BUSY)
                    self.row.add("refused")
                except OSError:
                    break
                finally:
                    self.keep_reserve()
                if self.reserve < 0:
                    break
        self.pause()
        self.loop.call_later(PAUSE, self.resume)

    def keep_reserve(self) -> None:
        """Have one descriptor to answer with when there is none."""
        if self.reserve < 0:
            with suppress(OSError):  # next time then
                self.reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def admit(self, listener: "Listener", connected: socket.socket, peer: Any) -> None:
        """Serve a client, or say why not."""
        remote = ("", 0) if type(peer) is not tuple else (peer[0], peer[1])
        client = Client(remote, listener.local or connected.getsockname()[:2], listener)
        refusal = _BUSY if len(self.sessions) >= self.most else client.enter(self.limits, self.row)
        if refusal is not None:
            self.row.add("refused")
            self.log(LOGINFO, f"refused {client.remote_ip or listener.name}: 421 {refusal}")
            refuse(connected, 421, refusal)
            return
        try:
            verdict = self.engine.pre_connection(client)
            if verdict.result.refuses:
                self.refuse_by(verdict, client, connected)
                return
            protocol = self.engine.protocol(client, partial(self.leave, client))
        except BaseException:
            client.leave()
            raise
        self.row.add("accepted")
        self.sessions[client] = protocol
        self.attach(client, protocol, connected)

    def refuse_by(self, verdict: "Verdict", client: Client, connected: socket.socket) -> None:
        """Give a client the answer of a pre_connection handler."""
        self.row.add("refused")
        if verdict.result.temporary:
            code, text = 451, verdict.text or "Sorry, try again later"
        else:
            code, text = 550, verdict.text or "Sorry, service not available for you"
        self.log(LOGINFO, f"{verdict.plugin} refused {client.remote_ip}: {code} {text}")
        client.leave()
        refuse(connected, code, text)

    def attach(self, client: Client, protocol: "ServedProtocol", connected: socket.socket) -> None:
        """Hand a connected socket to the loop.

        The loop's coroutine only waits for ``connection_made``; stepping it by hand spares the
        task, about a tenth of what taking a client costs.
        """
        coroutine = self.loop.connect_accepted_socket(lambda: protocol, connected)
        try:
            waiter: asyncio.Future[object] = coroutine.send(None)
        except StopIteration:
            return
        except BaseException:
            self.leave(client)
            raise
        waiter.add_done_callback(partial(self.attached, client, coroutine))

    def attached(
        self, client: Client, coroutine: Coroutine[Any, Any, object], waiter: object
    ) -> None:
        """Carry on with what ``attach`` began."""
        try:
            coroutine.send(None)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - costs this client only
            self.log(LOGERROR, f"lost {client.remote_ip} while greeting it: {error!r}")
            self.leave(client)

    def leave(self, client: Client) -> None:
        """Account for a client that is gone; called by its protocol."""
        if self.sessions.pop(client, None) is not None:
            client.leave()
            if self.draining:
                self.end_when_idle()

    # Once a second

    def beat(self) -> None:
        """Give a sign of life, and let the engine do what is due."""
        self.row.set("heartbeat", time.monotonic_ns() // 1_000_000)
        self.keep_reserve()
        self.loop.call_later(HEARTBEAT, self.beat)
        try:
            self.engine.tick(self.loop.time())
        except Exception as error:  # noqa: BLE001 - the next beat must come
            self.log(LOGCRIT, f"a periodic task failed: {error!r}")


def refuse(connected: socket.socket, code: int, text: str) -> None:
    """Answer a client that is not served, and close: never waits for it."""
    lines = [line.encode("ascii", "replace") for line in text.splitlines()] or [b""]
    reply = b"".join(
        b"%d%s%s\r\n" % (code, b" " if number == len(lines) else b"-", line)
        for number, line in enumerate(lines, 1)
    )
    with suppress(OSError), connected:
        connected.settimeout(0)
        connected.send(reply)
        # Closing with octets unread would reset the connection, and could eat the answer.
        connected.shutdown(socket.SHUT_WR)
        connected.recv(65536)
