"""Parsers of plugins for HELO, EHLO, MAIL and RCPT (hooks ``helo_parse`` and so on)."""

from typing import TYPE_CHECKING, Any

from qpsmtpd.constants import LOGCRIT, OK
from qpsmtpd.hooks.ask import ask

if TYPE_CHECKING:
    from qpsmtpd.smtp.session import Session

__all__ = ["parsed"]


def parsed(session: "Session", verb: str, text: str) -> tuple[Any, ...] | None:
    """Let a plugin's parser, if there is one, take the argument of a command apart.

    Args:
        session: the session.
        verb: ``helo``, ``ehlo``, ``mail`` or ``rcpt``.
        text: the argument.

    Returns:
        What the parser returned, as a tuple. None: there is no parser, or it failed, which is
        logged; the built-in one is to be used.
    """
    chain = session.chains[f"{verb}_parse"]
    if not chain:
        return None
    connection = session.connection
    verdict = ask(chain, connection.logger, connection, *((text,) if verb in _ENVELOPE else ()))
    if verdict.result is not OK or not verdict.values or not callable(verdict.values[0]):
        return None
    try:
        value = verdict.values[0](verb, text)
    except Exception as error:  # noqa: BLE001 - a parser's failure costs that parser only
        text = f"FATAL PLUGIN ERROR [{verdict.plugin}]: {error!r}"
        connection.log(LOGCRIT, text, plugin=verdict.plugin, hook=f"{verb}_parse")
        return None
    return value if isinstance(value, tuple) else (value,)


_ENVELOPE = frozenset({"mail", "rcpt"})
