"""Every kind of store, run in every way that suits it."""

import pytest
from tests.services.running import run_in_task, run_stepped

from qpsmtpd.hooks.chain import step
from qpsmtpd.services.clock import FakeClock
from qpsmtpd.services.store.asyncio import LoopSqliteStore
from qpsmtpd.services.store.memory import MemoryStore
from qpsmtpd.services.store.sqlite import SqliteStore

KINDS = {
    "memory": (MemoryStore, step),
    "memory in a loop": (MemoryStore, run_in_task),
    "sqlite": (SqliteStore, step),
    "sqlite in a loop": (LoopSqliteStore, run_in_task),
    "sqlite stepped": (LoopSqliteStore, run_stepped),
}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store.sqlite")


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def store(kind, path, clock):
    made = kind[0](clock=clock) if kind[0] is MemoryStore else kind[0](path, clock=clock)
    yield made
    made.close()


@pytest.fixture
def do(kind):
    """Run a coroutine of the store to its end."""
    return kind[1]
