"""The hook table: every hook of qpsmtpd, its scope, arguments and kinds of handler.

Rule: what is known about a hook is known here. The chains, the checks at load time, the
reference page and the test that every hook is documented and tested read this table.
"""

from enum import Enum
from typing import Final, NamedTuple

__all__ = ["HOOKS", "Hook", "Scope"]


class Scope(Enum):
    """What a handler gets as its first argument, and so what it can know."""

    PROCESS = "process"  #: nothing: the hook belongs to no client
    CLIENT = "client"  #: the addresses known when a client is accepted
    CONNECTION = "connection"  #: the connection
    TRANSACTION = "transaction"  #: the transaction; ``transaction.connection`` leads on


class Hook(NamedTuple):
    """One row of the table."""

    name: str  #: as in qpsmtpd, dashes as underscores
    scope: Scope
    arguments: tuple[str, ...]  #: names of the arguments behind the plugin itself
    waits: bool  #: True if handlers may wait (blocking or async); False: plain functions only
    summary: str  #: one sentence for the reference page
    timeout: float = 60.0  #: default seconds a handler may take

    @property
    def method(self) -> str:
        """Name of the method or function that handles this hook."""
        return "hook_" + self.name


def _process(name: str, arguments: str, summary: str) -> Hook:
    return Hook(name, Scope.PROCESS, tuple(arguments.split()), waits=False, summary=summary)


def _parser(name: str, summary: str, arguments: str = "connection line") -> Hook:
    return Hook(name, Scope.CONNECTION, tuple(arguments.split()), waits=False, summary=summary)


def _connection(name: str, arguments: str, summary: str) -> Hook:
    words = ("connection", *arguments.split())
    return Hook(name, Scope.CONNECTION, words, waits=True, summary=summary)


def _observer(name: str, summary: str) -> Hook:
    words = ("connection", "plugin", "result", "text")
    return Hook(name, Scope.CONNECTION, words, waits=False, summary=summary)


def _transaction(name: str, arguments: str, summary: str, timeout: float = 60.0) -> Hook:
    words = ("transaction", *arguments.split())
    return Hook(name, Scope.TRANSACTION, words, waits=True, summary=summary, timeout=timeout)


#: seconds a queue handler may take: the RFC gives the client ten minutes (RFC 5321 §4.5.3.2.6)
_QUEUE_TIMEOUT: Final = 300.0
_SASL: Final = "mechanism user password response ticket"

HOOKS: Final[dict[str, Hook]] = {
    hook.name: hook
    for hook in (
        _process("logging", "event", "Write one log event somewhere."),
        _process("config", "name", "Answer a configuration look-up: ``(OK, value, …)``."),
        _process(
            "user_config", "address name", "Answer a look-up for one address: ``(OK, value, …)``."
        ),
        _process("post_fork", "", "A worker process has just been forked."),
        Hook(
            "pre_connection",
            Scope.CLIENT,
            ("client",),
            waits=False,
            summary="A client was accepted and not yet greeted.",
        ),
        _connection("connect", "", "A client is to be greeted."),
        _parser("ehlo_parse", "Supply a parser for EHLO: ``(OK, function)``.", "connection"),
        _connection("ehlo", "host", "EHLO was received."),
        _parser("helo_parse", "Supply a parser for HELO: ``(OK, function)``.", "connection"),
        _connection("helo", "host", "HELO was received."),
        _parser("auth_parse", "Supply a parser for AUTH: ``(OK, function)``."),
        _connection("auth", _SASL, "Check a login, whatever the mechanism."),
        _connection("auth_plain", _SASL, "Check a login sent by AUTH PLAIN."),
        _connection("auth_login", _SASL, "Check a login sent by AUTH LOGIN."),
        _connection("auth_cram_md5", _SASL, "Check a login sent by AUTH CRAM-MD5."),
        _parser("rcpt_parse", "Supply a parser for RCPT: ``(OK, function)``."),
        _transaction("rcpt_pre", "address params", "Change a forward-path: ``(OK, text)``."),
        _transaction("rcpt", "recipient params", "RCPT was received: is this recipient taken?"),
        _parser("mail_parse", "Supply a parser for MAIL: ``(OK, function)``."),
        _transaction("mail", "sender params", "MAIL was received: is this sender taken?"),
        _transaction("mail_pre", "address params", "Change a reverse-path: ``(OK, text)``."),
        _transaction("data", "", "DATA, or the first BDAT, was received."),
        _transaction(
            "data_headers_end", "", "The header section is complete, the client still sends."
        ),
        _transaction(
            "data_post_headers", "", "The message is complete; trace fields are not added yet."
        ),
        _transaction("data_post", "", "The message is complete: is it taken?"),
        _transaction("queue_pre", "", "The message was taken and is about to be queued."),
        _transaction("queue", "", "Hand the message on.", _QUEUE_TIMEOUT),
        _transaction("queue_post", "", "The client has its answer about the message."),
        _connection("vrfy", "argument", "VRFY was received."),
        _connection("noop", "argument", "NOOP was received."),
        _connection("quit", "", "QUIT was received."),
        _transaction("reset_transaction", "", "The transaction ends, however it ended."),
        _connection("disconnect", "", "The session is over."),
        _connection("post_connection", "", "The client is gone."),
        _connection("unrecognized_command", "verb argument", "No such command."),
        _observer("deny", "A handler has refused."),
        _observer("ok", "A handler has accepted or declined."),
        _transaction(
            "received_line", "protocol auth tls", "Write the Received field: ``(OK, text)``."
        ),
        _connection("help", "argument", "HELP was received."),
    )
}
