"""Signals and descriptors as one queue.

Rule: a signal handler only queues. What a signal means happens in ``wait``, between two steps of
the owner, where it may log, fork and raise.
"""

import os
import selectors
import signal
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["SignalQueue"]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


class SignalQueue:
    """Runs an action for each signal, and for each descriptor that can be read."""

    __slots__ = ("_actions", "_arrived", "_read", "_selector", "_write")

    def __init__(self, actions: Mapping[int, Callable[[], None]]) -> None:
        """Take over signals.

        Args:
            actions: what to do for each.
        """
        self._actions = dict(actions)
        self._arrived: deque[int] = deque()
        self._selector = selectors.DefaultSelector()
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._read, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in actions:
            signal.signal(number, self._queue)

    def _queue(self, number: int, frame: object) -> None:
        self._arrived.append(number)

    def watch(self, source: _HasFileno, action: Callable[[], None]) -> None:
        """Run *action* whenever *source* can be read."""
        self._selector.register(source.fileno(), selectors.EVENT_READ, action)

    def forget(self, source: _HasFileno) -> None:
        """Watch *source* no more; to be called before it is closed."""
        try:
            self._selector.unregister(source.fileno())
        except (KeyError, ValueError):  # not watched, or closed
            return

    def wait(self, seconds: float) -> None:
        """Wait for something to happen, at most *seconds*, and act on it."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            if key.data is None:
                try:
                    os.read(self._read, 4096)
                except BlockingIOError:
                    continue
            elif key.fd in self._selector.get_map():  # an action before may have forgotten it
                key.data()
        while self._arrived:
            self._actions[self._arrived.popleft()]()

    def close(self) -> None:
        """Give the signals back."""
        for number in self._actions:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        self._selector.close()
        os.close(self._read)
        os.close(self._write)
