import pytest

from qpsmtpd.constants import DECLINED, DENYSOFT

BUSY = (DENYSOFT, "Server load too high, please try again later.")


@pytest.fixture
def load_average(monkeypatch):
    """Set the load average; counts how often it is read."""
    state = {"load": 0.0, "reads": 0}

    def read():
        state["reads"] += 1
        if state["load"] is None:
            raise OSError("not here")
        return state["load"], 99.0, 99.0

    monkeypatch.setattr("os.getloadavg", read)
    return state


@pytest.mark.parametrize(
    ("line", "load_now", "answer"),
    [
        ("loadcheck", 7.0, DECLINED),
        ("loadcheck", 7.01, BUSY),
        ("loadcheck max_load 2", 2.5, BUSY),
        ("loadcheck max_load 20 uptime /usr/bin/uptime", 19, DECLINED),
    ],
)
def test_the_limit(load, connect, load_average, line, load_now, answer):
    load_average["load"] = load_now
    assert load(line).hook_connect(connect()) == answer


def test_a_reading_is_used_for_a_while(load, connect, load_average, clock):
    plugin = load("loadcheck cache_time 10")
    load_average["load"] = 9
    assert plugin.hook_connect(connect()) == BUSY
    load_average["load"] = 0
    clock.advance(9)
    assert plugin.hook_connect(connect()) == BUSY
    clock.advance(1)
    assert plugin.hook_connect(connect()) is DECLINED
    assert load_average["reads"] == 2


def test_an_unknown_load_lets_clients_in(load, connect, load_average, log):
    load_average["load"] = None
    assert load("loadcheck").hook_connect(connect()) is DECLINED
    assert log.texts(3) == ["error, no load average: not here"]
