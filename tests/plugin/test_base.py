import asyncio
import types

import pytest

from qpsmtpd.constants import DECLINED, DENYSOFT, LOGERROR, LOGINFO, LOGWARN, OK
from qpsmtpd.errors import ConfigError
from qpsmtpd.hooks.chain import Chains, HookCall, Kind, run, run_blocking
from qpsmtpd.plugin.base import Plugin, prepare
from qpsmtpd.plugin.handler import blocking
from qpsmtpd.plugin.quantity import Duration
from qpsmtpd.plugin.services import Services
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.transaction import Transaction


class Example(Plugin):
    eager = True

    class Args:
        positional = ("word",)
        word: str = "default"

    def register(self):
        self.prepared = self.args.word.upper()
        self.register_hook("data-post", self.both)
        self.register_hook("data", "both", first=True)
        self.register_hook("quit", quit_function)

    def hook_rcpt(self, transaction, recipient, params):
        self.log(LOGINFO, "seen", transaction)

    async def hook_connect(self, connection):
        return await self.deeper(connection)

    async def deeper(self, connection):
        self.log(LOGINFO, "deeper", connection)
        return OK

    @blocking
    def hook_ehlo(self, connection, host):
        return self.wait(self.answer())

    async def answer(self):
        return OK

    def both(self, transaction):
        self.inner(transaction)

    def inner(self, transaction):
        self.log(LOGINFO, "inner", transaction)


def quit_function(plugin, connection):
    plugin.log(LOGINFO, "bye", connection)


def make(cls, services, line="", name="example"):
    plugin = cls(name, line.split(), services)
    prepare(plugin)
    return plugin


def handler(plugin, hook):
    (found,) = [one for one in plugin.handlers() if one.hook.name == hook]
    return found


def ask(plugin, hook, *arguments, connection):
    outcome = run(hook, Chains(plugin.handlers()), arguments, connection)
    return run_blocking(outcome) if isinstance(outcome, HookCall) else outcome


def test_a_plugin_knows_its_line(services):
    line = "hello reject 0 offload timeout 5s on_error denysoft"
    plugin = make(Example, services, line)
    assert plugin.config_args == line.split()
    assert (plugin.name, plugin.args.word, plugin.prepared) == ("example", "hello", "HELLO")
    assert (plugin.reject, plugin.timeout, plugin.on_error, plugin.offload) == (
        "0",
        5,
        DENYSOFT,
        True,
    )
    assert repr(plugin) == "<plugin example>"


def test_handlers_are_registered_in_the_order_of_the_hook_table_then_by_register(services):
    plugin = make(Example, services)
    assert [(one.hook.name, one.kind) for one in plugin.handlers()] == [
        ("connect", Kind.COROUTINE),
        ("ehlo", Kind.BLOCKING),
        ("rcpt", Kind.PLAIN),
        ("data_post", Kind.PLAIN),
        ("data", Kind.PLAIN),
        ("quit", Kind.PLAIN),
    ]
    assert [registration.first for registration in plugin.registrations] == (
        [False, False, False, False, True, False]
    )
    assert [one.eager for one in plugin.handlers()] == [True] + [False] * 5  # what may wait only


def test_the_line_decides_timeout_failure_and_offloading(services):
    plugin = make(Example, services, "timeout 5s on_error deny offload")
    one = handler(plugin, "rcpt")
    assert (one.timeout, one.on_error.name, one.kind) == (5, "DENY", Kind.BLOCKING)


def test_a_plugin_may_keep_timeout_for_itself(services):
    class Slow(Plugin):
        class Args:
            timeout: Duration = Duration("1s")

        def hook_rcpt(self, transaction, recipient, params): ...

    assert handler(make(Slow, services, "timeout 2s"), "rcpt").timeout == 60


def test_unknown_words_are_warned_about(services):
    plugin = make(Example, services, "one rejct 1")
    assert plugin.warnings == [
        "example: unknown argument 'rejct' with value '1' is ignored; did you mean reject?"
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [("a timeout x", "example: argument timeout: 'x' is no length"), ("a reject", "has no value")],
)
def test_a_line_that_cannot_be_used(services, line, problem):
    with pytest.raises(ConfigError, match=problem):
        make(Example, services, line)


def test_arguments_that_cannot_be_declared(services):
    class Broken(Plugin):
        class Args:
            table: dict

    with pytest.raises(ConfigError, match="plugin example cannot be used: field table of Args"):
        make(Broken, services)


def test_a_plugin_is_frozen_after_register(services):
    plugin = make(Example, services)
    with pytest.raises(AttributeError, match=r"example.count cannot be set after register"):
        plugin.count = 1
    with pytest.raises(AttributeError, match=r"connection.notes or transaction.notes"):
        del plugin.prepared
    with pytest.raises(AttributeError, match="register_hook works inside register"):
        plugin.register_hook("rcpt", plugin.both)


def test_an_attribute_may_be_deleted_in_register(services):
    class Deletes(Plugin):
        def register(self):
            self.temporary = 1
            del self.temporary

    assert not hasattr(make(Deletes, services), "temporary")


def test_a_mistyped_hook_is_found(services):
    class Mistyped(Plugin):
        def hook_recpt(self, transaction): ...

    with pytest.raises(ConfigError, match=r"Invalid hook: recpt; did you mean rcpt\?"):
        make(Mistyped, services)


def test_a_hook_with_other_parameters_is_refused(services):
    class Short(Plugin):
        def hook_rcpt(self, transaction): ...

    with pytest.raises(ConfigError, match=r"write def hook_rcpt\(self, transaction, recipient, "):
        make(Short, services)


def test_a_handler_may_be_registered_twice(services):
    class Twice(Plugin):
        def hook_quit(self, connection): ...

        def register(self):
            self.register_hook("quit", self.hook_quit)

    plugin = make(Twice, services)
    assert [one.hook.name for one in plugin.handlers()] == ["quit", "quit"]


def test_only_what_exists_can_be_registered(services):
    class Missing(Plugin):
        def register(self):
            self.register_hook("rcpt", "nothing_like_it")

    with pytest.raises(AttributeError, match="nothing_like_it"):
        make(Missing, services)


def test_inheritance_and_super(services):
    class Child(Example):
        def hook_rcpt(self, transaction, recipient, params):
            super().hook_rcpt(transaction, recipient, params)
            return OK

    connection = Connection(logger=services.logger)
    plugin = make(Child, services)
    verdict = ask(plugin, "rcpt", Transaction(connection), None, {}, connection=connection)
    assert verdict.result is OK
    assert (LOGINFO, "rcpt", "example", "seen") in services.logger.lines


def test_services_are_looked_up_when_they_are_used(services):
    plugin = make(Example, services)
    services.dns, services.clock, services.process = "dns", "clock", "process"
    services.config = "config"
    services.store = types.SimpleNamespace(namespace=lambda name: f"of {name}")
    found = (plugin.dns, plugin.clock, plugin.process, plugin.config, plugin.store)
    assert found == ("dns", "clock", "process", "config", "of example")
    assert plugin.logger is services.logger


def test_wait_steps_a_coroutine_until_a_driver_says_otherwise(services):
    plugin = make(Example, services)
    assert plugin.hook_ehlo(None, "host") is OK
    services.wait = asyncio.run
    assert plugin.hook_ehlo(None, "host") is OK


# The log


@pytest.mark.parametrize(
    ("hook", "arguments", "line"),
    [
        ("rcpt", (None, {}), (LOGINFO, "rcpt", "example", "seen")),
        ("data", (), (LOGINFO, "data", "example", "inner")),
        ("data_post", (), (LOGINFO, "data_post", "example", "inner")),
    ],
)
def test_a_line_knows_its_hook(services, hook, arguments, line):
    connection = Connection(logger=services.logger)
    plugin = make(Example, services)
    ask(plugin, hook, Transaction(connection), *arguments, connection=connection)
    assert line in services.logger.lines


@pytest.mark.parametrize(("hook", "text"), [("connect", "deeper"), ("quit", "bye")])
def test_a_line_knows_its_hook_in_coroutines_and_functions(services, hook, text):
    connection = Connection(logger=services.logger)
    ask(make(Example, services), hook, connection, connection=connection)
    assert (LOGINFO, hook, "example", text) in services.logger.lines


def test_a_line_outside_hooks_has_none(services):
    make(Example, services).log(LOGWARN, "text")
    assert services.logger.lines == [(LOGWARN, "", "example", "text")]


def test_a_function_for_several_hooks_called_by_hand_names_the_first(services):
    plugin = make(Example, services)
    plugin.both(Transaction(Connection(logger=services.logger)))
    assert services.logger.lines == [(LOGINFO, "data_post", "example", "inner")]


def test_the_hook_may_be_said(services):
    make(Example, services).log(LOGWARN, "text", hook="mail")
    assert services.logger.lines == [(LOGWARN, "mail", "example", "text")]


def test_a_line_about_a_client_goes_to_its_log(services):
    class Other:
        threshold = LOGWARN
        seen: list = []  # noqa: RUF012 - of this test alone

        def log(self, level, text, **facts):
            self.seen.append((text, facts["connection"]))

    connection = Connection(logger=Other())
    plugin = make(Example, services)
    plugin.log(LOGWARN, "text", Transaction(connection))
    plugin.log(LOGINFO, "too quiet", connection)
    assert Other.seen == [("text", connection)]
    assert services.logger.lines == []


@pytest.mark.parametrize(
    ("loglevel", "levels"),
    [
        ("3", [3] * 8),
        ("LOGINFO", [6] * 8),
        ("warn", [4] * 8),
        ("+2", [2, 3, 4, 5, 6, 7, 7, 7]),
        ("-2", [0, 0, 0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_line_may_adjust_levels(services, loglevel, levels):
    plugin = make(Example, services, f"hello loglevel {loglevel}")
    for level in range(8):
        plugin.log(level, "text")
    assert [line[0] for line in services.logger.lines] == levels


@pytest.mark.parametrize("loglevel", ["8", "+12", "+", "loud"])
def test_an_adjustment_that_makes_no_sense_is_warned_about(services, loglevel):
    plugin = make(Example, services, f"hello loglevel {loglevel}")
    assert plugin.warnings == [
        f"example: loglevel {loglevel!r} is ignored; write 0 to 7, +N or -N"
    ]
    plugin.log(LOGERROR, "text")
    assert services.logger.lines == [(LOGERROR, "", "example", "text")]


def test_a_plugin_may_keep_loglevel_for_itself(services):
    class Own(Plugin):
        class Args:
            loglevel: int = 6

    plugin = make(Own, services, "loglevel 2")
    plugin.log(LOGINFO, "text")
    assert services.logger.lines == [(LOGINFO, "", "example", "text")]
    assert (plugin.loglevel, plugin.args.loglevel) == (2, 2)


def test_an_unknown_reject_type_is_warned_about(services):
    plugin = make(Example, services, "hello reject_type harsh")
    assert plugin.warnings[0].startswith("example: reject_type 'harsh' is ignored; known are temp")


def test_declined_is_the_default(services):
    assert make(Example, services).on_error is DECLINED


def test_a_plugin_without_arguments(logger):
    assert make(Plugin, Services(None, logger)).args is not None
