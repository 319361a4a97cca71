import pytest

from qpsmtpd.hooks.spec import HOOKS, Scope

#: every hook of the original, underscores for dashes
ORIGINAL = [
    "logging", "config", "user_config", "post_fork", "pre_connection", "connect",
    "ehlo_parse", "ehlo", "helo_parse", "helo", "auth_parse", "auth", "auth_plain",
    "auth_login", "auth_cram_md5", "rcpt_parse", "rcpt_pre", "rcpt", "mail_parse", "mail",
    "mail_pre", "data", "data_headers_end", "data_post_headers", "data_post", "queue_pre",
    "queue", "queue_post", "vrfy", "noop", "quit", "reset_transaction", "disconnect",
    "post_connection", "unrecognized_command", "deny", "ok", "received_line", "help",
]  # fmt: skip


def test_the_table_holds_the_hooks_of_the_original():
    assert sorted(HOOKS) == sorted(ORIGINAL)


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_a_row_is_complete(hook):
    assert hook.method == f"hook_{hook.name}"
    assert hook.summary[-1] in ".?"
    assert hook.timeout > 0
    first = {Scope.CONNECTION: "connection", Scope.TRANSACTION: "transaction"}.get(hook.scope)
    assert first is None or hook.arguments[0] == first
    assert all(word.isidentifier() for word in hook.arguments)


def test_what_belongs_to_no_client_cannot_wait():
    assert not [hook for hook in HOOKS.values() if hook.waits and hook.scope is Scope.PROCESS]
    assert not [hook for hook in HOOKS.values() if hook.waits and hook.name.endswith("_parse")]


def test_the_queue_may_take_longer():
    assert HOOKS["queue"].timeout > HOOKS["rcpt"].timeout
