"""One session on blocking descriptors."""

import time
from collections.abc import Callable
from typing import Protocol

from qpsmtpd.hooks.chain import HookCall, run_blocking
from qpsmtpd.hooks.verdict import Verdict
from qpsmtpd.smtp import CLOSED, NEED_DATA, Session

__all__ = ["Wire", "serve"]


class Wire(Protocol):
    """Where a session's octets come from and go to."""

    def read(self, seconds: float) -> bytes | None:
        """Wait for octets.

        Args:
            seconds: how long.

        Returns:
            Some octets; none at the end of input; None when nothing came in time.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all octets; raises OSError when the client is gone."""
        ...


def serve(
    session: Session,
    wire: Wire,
    run: Callable[[HookCall], Verdict] = run_blocking,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Drive one session until it ends.

    Args:
        session: the session.
        wire: the client.
        run: runs a chain to its verdict.
        monotonic: a clock, in seconds.
    """
    began = since = monotonic()
    steps = session.steps
    lasts = session.settings.session_timeout
    event = session.next_event()
    while event is not CLOSED:
        if isinstance(event, HookCall):
            _send(session, wire)
            event = session.next_event(run(event))
            since = monotonic()
            continue
        gone = _send(session, wire)
        if gone:
            event = session.abandon()
            continue
        if event is NEED_DATA:
            now = monotonic()
            if session.steps != steps:
                steps, since = session.steps, now
            left = since + session.time_limit - now
            if lasts:
                left = min(left, began + lasts - now)
            data = wire.read(left) if left > 0 else None
            if data is None:
                session.timeout(session=0 < lasts <= monotonic() - began)
            else:
                session.feed(data)
        event = session.next_event()
    _send(session, wire)


def _send(session: Session, wire: Wire) -> bool:
    """Send what there is; returns True when the client is gone."""
    data = session.data_to_send()
    try:
        if data:
            wire.write(data)
    except OSError:
        return True
    return False
