import functools
import types

import pytest

from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Kind
from qpsmtpd.hooks.spec import HOOKS
from qpsmtpd.plugin.handler import (
    blocking,
    check_parameters,
    check_register,
    code_of,
    find_hook,
    kind_of,
)


class Example:
    def plain(self, transaction, recipient, params): ...

    @blocking
    def waits(self, transaction, recipient, params): ...

    async def awaits(self, transaction, recipient, params): ...

    @types.coroutine
    def old_style(self, transaction, recipient, params):
        yield

    def yields(self, transaction):
        yield

    async def yields_async(self, transaction):
        yield

    def short(self, transaction): ...

    async def long(self, transaction, recipient, params, more): ...

    def spare(self, transaction, recipient, params, more=None): ...

    def anything(self, *words): ...

    def keyword(self, transaction, recipient, params, *, more): ...

    def keyword_spare(self, transaction, recipient, params, *, more=1): ...

    def fewer(self, transaction, recipient=None): ...

    @staticmethod
    def static(transaction, recipient, params): ...

    def nothing(*words): ...


RCPT = HOOKS["rcpt"]
EXAMPLE = Example()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("plain", Kind.PLAIN),
        ("waits", Kind.BLOCKING),
        ("awaits", Kind.COROUTINE),
        ("old_style", Kind.COROUTINE),
    ],
)
def test_kinds(name, kind):
    assert kind_of(getattr(EXAMPLE, name), RCPT, "p") is kind


def test_offload_makes_plain_handlers_blocking_where_the_hook_can_wait():
    assert kind_of(EXAMPLE.plain, RCPT, "p", offload=True) is Kind.BLOCKING
    assert kind_of(EXAMPLE.plain, HOOKS["config"], "p", offload=True) is Kind.PLAIN
    assert kind_of(EXAMPLE.awaits, RCPT, "p", offload=True) is Kind.COROUTINE


def test_the_kind_of_a_partial_is_that_of_its_function():
    assert kind_of(functools.partial(EXAMPLE.awaits, 1), RCPT, "p") is Kind.COROUTINE


def test_the_kind_of_an_object_is_that_of_its_call():
    class Asks:
        async def __call__(self, *words): ...

    assert kind_of(Asks(), RCPT, "p") is Kind.COROUTINE
    assert kind_of(len, RCPT, "p") is Kind.PLAIN
    assert code_of(len) is None


@pytest.mark.parametrize("name", ["yields", "yields_async"])
def test_generators_are_no_handlers(name):
    with pytest.raises(ConfigError, match="p: hook_data contains yield; a handler returns"):
        kind_of(getattr(EXAMPLE, name), HOOKS["data"], "p")


@pytest.mark.parametrize("hook", [hook for hook in HOOKS.values() if not hook.waits])
@pytest.mark.parametrize(("name", "word"), [("waits", "@blocking"), ("awaits", "async")])
def test_some_hooks_cannot_wait(hook, name, word):
    with pytest.raises(ConfigError, match=f"p: {hook.method} cannot be {word}: .* plain def"):
        kind_of(getattr(EXAMPLE, name), hook, "p")


def test_blocking_is_not_for_coroutines():
    with pytest.raises(TypeError, match="is async: it awaits and does not block"):
        blocking(Example.awaits)


def test_blocking_leaves_the_function_as_it_is():
    def function(): ...

    assert blocking(function) is function


@pytest.mark.parametrize(
    "name", ["plain", "awaits", "spare", "anything", "keyword_spare", "static", "nothing"]
)
def test_parameters_that_fit(name):
    assert check_parameters(getattr(EXAMPLE, name), RCPT, "p") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("short", r"p: short\(self, transaction\) does not take what hook rcpt passes; "),
        ("short", r"write def short\(self, transaction, recipient, params\)$"),
        ("long", r"write async def long\(self, transaction, recipient, params\)$"),
        ("fewer", r"write def fewer\(self, transaction, recipient, params\)$"),
        ("keyword", r"keyword\(self, transaction, recipient, params, more\) does not take"),
    ],
)
def test_parameters_that_do_not_fit(name, text):
    with pytest.raises(ConfigError, match=text):
        check_parameters(getattr(EXAMPLE, name), RCPT, "p")


@pytest.mark.parametrize("call", [functools.partial(EXAMPLE.short, 1), len])
def test_what_shows_no_parameters_is_taken(call):
    assert check_parameters(call, RCPT, "p") is None


def test_hooks_are_found_by_either_spelling():
    assert find_hook("auth-plain", "p") is find_hook("auth_plain", "p") is HOOKS["auth_plain"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recpt", r"p: Invalid hook: recpt; did you mean rcpt\?"),
        ("xyzzy", r"p: Invalid hook: xyzzy; see qpsmtpd hooks"),
    ],
)
def test_hooks_that_do_not_exist(name, text):
    with pytest.raises(ConfigError, match=text):
        find_hook(name, "p")


class Registers:
    def good(self): ...

    def spare(self, qp=None, *args): ...

    def perl(self, qp, *args): ...

    async def awaits(self): ...

    def yields(self):
        yield


@pytest.mark.parametrize("name", ["good", "spare"])
def test_register(name):
    assert check_register(getattr(Registers(), name), "p") is None
    assert check_register(len, "p") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("perl", r"p: register\(self, qp\) takes the plugin only; .* self.args"),
        ("awaits", "no async"),
        ("yields", "no async"),
    ],
)
def test_register_with_anything_else(name, text):
    with pytest.raises(ConfigError, match=text):
        check_register(getattr(Registers(), name), "p")
