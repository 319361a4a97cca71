from qpsmtpd.smtp.state import CLOSED, FLUSH, NEED_DATA, Goodbye, Signal, State


def test_states_are_in_the_order_of_a_session():
    order = [State.PROXY, State.GREETING, State.HELLO, State.READY, State.MAIL, State.RCPT]
    assert sorted(order) == order
    assert max(State) is State.CLOSED


def test_signals_are_told_apart():
    assert {NEED_DATA, FLUSH, CLOSED} == set(Signal)
    assert not issubclass(Goodbye, OSError)
