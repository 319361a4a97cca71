"""Both flavours of every service."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from tests.services.running import RUNNERS


@pytest.fixture(params=RUNNERS)
def flavour(request):
    return request.param


@pytest.fixture
def run(flavour):
    """Run a coroutine to its end; in the blocking flavour it must not suspend."""
    return RUNNERS[flavour]


@pytest.fixture
def open_descriptors():
    """Count the open descriptors of this process."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def children():
    """List the children of this process, the dead that nobody waited for among them."""

    def listed():
        found = set()
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended meanwhile
                if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(path.parent.name)
        return found

    return listed
