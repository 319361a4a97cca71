"""The table of deployment models.

Rule: arbiter and generation know no model by name. A model that has an owner is a row here and
a function that serves in a forked process.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpsmtpd.deploy.channel import Channel
    from qpsmtpd.deploy.contract import Engine
    from qpsmtpd.deploy.options import Options
    from qpsmtpd.deploy.scoreboard import Row
    from qpsmtpd.deploy.sources import Listener

__all__ = ["MODELS", "Model", "Serve", "find", "load"]


class Serve(Protocol):
    """Serve clients in a process that was forked for it, until told to end."""

    def __call__(
        self,
        engine: "Engine",
        listeners: "list[Listener]",
        row: "Row",
        channel: "Channel",
        options: "Options",
    ) -> int:
        """Serve.

        Args:
            engine: loaded before the fork.
            listeners: shared with the other workers.
            row: this worker's part of the scoreboard.
            channel: to the generation; ``{"event": "ready"}`` once clients are served.
            options: limits and time-outs.

        Returns:
            An exit code, see ``exits``.
        """
        ...


class Model(NamedTuple):
    """One row: who moves the bytes, under an arbiter that owns the processes."""

    name: str
    command: str  #: the original's program
    serve: str  #: ``module:function``, a ``Serve``
    port: int  #: the original's default
    connections: int  #: in all, unless configured
    connections_per_ip: int  #: of one address, unless configured
    summary: str


MODELS: Final[dict[str, Model]] = {
    model.name: model
    for model in (
        Model(
            "async",
            "qpsmtpd-async",
            "qpsmtpd.deploy.worker:run_worker",
            2525,
            2000,
            50,
            "An event loop in each of N workers; many clients in each.",
        ),
    )
}


def find(name: str) -> Model:
    """Look a model up.

    Raises:
        ConfigError: there is no such model.
    """
    if name not in MODELS:
        raise ConfigError(f"unknown model {name}; there are: {', '.join(MODELS)}")
    return MODELS[name]


def load(target: str) -> "Callable[..., Any]":
    """Import what ``module:name`` says.

    Raises:
        ConfigError: there is nothing of that name.
    """
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # something it imports is missing: that traceback is needed
        raise ConfigError(f"there is no module {module}") from error
    except AttributeError as error:
        raise ConfigError(f"module {module} has no {name}") from error
    return cast("Callable[..., Any]", found)
