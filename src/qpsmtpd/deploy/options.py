"""What a daemon is to do, as numbers and names: everything deploy needs of the configuration."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

__all__ = ["MAX_GENERATIONS", "Options"]

#: generations that may live at once: one serves, the others finish their sessions
MAX_GENERATIONS: Final = 4


class Options(NamedTuple):
    """One daemon's deployment; fits through JSON."""

    model: str = "async"  #: a row of ``models.MODELS``
    engine: str = "qpsmtpd.deploy.engine:Engine"  #: what makes the engine, as module:name
    engine_options: Mapping[str, Any] = MappingProxyType({})  #: passed to it
    listen: tuple[str, ...] = ()  #: addresses with options, see ``sources``; none: the default
    port: int = 2525  #: of addresses that name none
    backlog: int = 1024  #: connections the kernel may hold until a worker takes them
    workers: int = 1  #: 0 for one per usable processor
    user: str = ""  #: whom to become; "": ``smtpd`` when started as root
    group: str = ""  #: "" for the user's own
    pid_file: str = ""
    detach: bool = False
    connections: int = 2000  #: in all; 0 for no limit
    connections_per_ip: int = 50  #: of one address; 0 for no limit
    ipv6_prefix: int = 64  #: bits that make an IPv6 client; networks are given out as /64
    graceful_timeout: float = 30.0  #: seconds sessions may go on after TERM before they get 421
    finish_timeout: float = 10.0  #: seconds for what is in hand after that 421
    worker_timeout: float = 60.0  #: seconds without a heartbeat until a worker is killed
    boot_timeout: float = 120.0  #: seconds a generation may take to load its plugins

    @property
    def worker_count(self) -> int:
        """Workers to start."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def worker_limit(self) -> int:
        """Workers one generation can have; TTIN goes no further."""
        return max(8, 2 * self.worker_count)

    def encode(self) -> dict[str, Any]:
        """As an object for JSON."""
        return {**self._asdict(), "engine_options": dict(self.engine_options)}

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> "Options":
        """From what ``encode`` made, perhaps in another release: unknown names are left out."""
        known = {name: value for name, value in fields.items() if name in cls._fields}
        known["listen"] = tuple(known.get("listen", ()))
        return cls(**known)
