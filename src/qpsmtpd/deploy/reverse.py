"""The reverse look-up: the client's name, before any plugin is asked about it."""

from typing import TYPE_CHECKING, Final

from qpsmtpd.hooks import HOOKS, Handler, Kind

if TYPE_CHECKING:
    from qpsmtpd.plugin import Services
    from qpsmtpd.smtp import Connection

__all__ = ["NAME", "handler"]

NAME: Final = "reverse_lookup"
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_LOOPBACK: Final = ("127.", "::1")


def handler(services: "Services", timeout: float) -> Handler:
    """Make the handler that stands at the head of the connect chain.

    It sets ``remote_host`` to the name of the client, or ``Unknown`` as the original does, and
    leaves alone what a supervisor or proxy has already said. Loopback needs no look-up.

    Args:
        services: where ``dns`` is.
        timeout: seconds the look-up may take.
    """

    async def hook_connect(connection: "Connection") -> None:
        if not connection.remote_host:
            connection.remote_host = await _name(services, connection.remote_ip, timeout)
        connection.remote_info = connection.remote_info or connection.remote_host

    # the look-up has a deadline of its own; the handler's is for the worst case
    return Handler(
        NAME, HOOKS["connect"], hook_connect, Kind.COROUTINE, timeout=2 * timeout, eager=True
    )


async def _name(services: "Services", ip: str, timeout: float) -> str:  # noqa: ASYNC109 - passed on
    if not ip:
        return "localhost"
    if ip.startswith(_LOOPBACK):
        return "localhost"
    answer = await services.dns.ptr(ip, timeout=timeout)
    for name in answer.records if answer.found else ():
        if name and len(name) <= 253 and _LETTERS.issuperset(name):
            return str(name)
    return "Unknown"
