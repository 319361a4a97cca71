"""Daemons that are in for something."""

import pytest
from tests.faults.daemon import Faulty
from tests.interop.daemon import workplace


@pytest.fixture
def place():
    """A directory other users can reach."""
    with workplace() as found:
        yield found


@pytest.fixture
def daemon(place):
    """Start daemons: ``daemon(setting=…)``; all are ended."""
    running = []

    def start(*, plugins=(), prefix=(), listen=("127.0.0.1:0",), **settings):
        folder = place / str(len(running))
        folder.mkdir()
        running.append(Faulty(folder, settings, plugins, prefix, listen))
        return running[-1]

    yield start
    for one in running:
        one.close()
