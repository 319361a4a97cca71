"""Handlers that hang, and chains that are watched for them."""

import time

from qpsmtpd.hooks import watchdog
from qpsmtpd.hooks.chain import Chains

#: seconds the handlers hang; so long takes a test that fails
PATIENCE = 5.0


def watched(handlers):
    """Make chains whose handlers the watchdog knows."""
    watchdog.watch(handlers)
    return Chains(handlers)


def spins(*arguments):
    """Keep the processor."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pass


def sleeps(*arguments):
    """Wait in a system call."""
    time.sleep(PATIENCE)
