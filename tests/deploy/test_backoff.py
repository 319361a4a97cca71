from qpsmtpd.deploy.backoff import Backoff


def test_each_early_death_waits_longer_up_to_half_a_minute():
    backoff = Backoff()
    waits = [backoff.after(1.0) for _ in range(9)]
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_minute_of_life_begins_anew():
    backoff = Backoff()
    for _ in range(5):
        backoff.after(1.0)
    assert [backoff.after(60.0), backoff.after(1.0)] == [0.0, 0.5]
