from qpsmtpd.constants import OK


def test_every_message_is_taken_and_kept_nowhere(load, begin):
    transaction = begin("a@example.org")
    assert load("queue/discard").hook_queue(transaction) == (OK, "Queued!")
    assert transaction.notes["queued_to"] == []
