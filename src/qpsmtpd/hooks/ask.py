"""Asking plain handlers on behalf of no session: configuration, parsers, processes, observers."""

from typing import TYPE_CHECKING

from qpsmtpd.constants import DECLINED, LOGCRIT, LOGERROR
from qpsmtpd.hooks.verdict import PASS, Verdict, read

if TYPE_CHECKING:
    from qpsmtpd.hooks.chain import Chain, Handler
    from qpsmtpd.logger import Logger

__all__ = ["ask"]


def ask(chain: "Chain", logger: "Logger", *arguments: object) -> Verdict:
    """Run a chain of plain handlers that belongs to no session (config, parsers, post_fork)."""
    for handler in chain:
        try:
            value = handler.call(*arguments)
        except Exception as error:  # noqa: BLE001 - a handler's failure costs that handler only
            _complain(logger, handler, error)
            continue
        verdict = _read(logger, handler, value)
        if verdict is not PASS:
            return verdict
    return PASS


def _complain(logger: "Logger", handler: "Handler", error: Exception) -> None:
    text = f"FATAL PLUGIN ERROR [{handler.plugin}]: {str(error) or type(error).__name__}"
    logger.log(LOGCRIT, text, plugin=handler.plugin, hook=handler.hook.name, error=error)


def _read(logger: "Logger", handler: "Handler", value: object) -> Verdict:
    verdict = read(value, handler.plugin)
    if verdict is None:
        text = f"Plugin {handler.plugin}, hook {handler.hook.name} returned {value!r}"
        logger.log(LOGERROR, text, plugin=handler.plugin, hook=handler.hook.name)
        return PASS
    return PASS if verdict.result is DECLINED else verdict
