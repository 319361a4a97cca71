"""Who the daemon is: looked up by the arbiter, become by each generation.

Rule: root binds sockets and opens the pid file; no plugin is imported before ``assume``.
"""

import grp
import os
import pwd
from typing import Final, NamedTuple

from qpsmtpd.errors import ConfigError

__all__ = ["DEFAULT_USER", "Identity", "assume", "lookup"]

#: whom the original becomes when root starts it
DEFAULT_USER: Final = "smtpd"


class Identity(NamedTuple):
    """A user with its groups."""

    user: str
    group: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def lookup(user: str, group: str = "") -> Identity:
    """Find out whom to become.

    Args:
        user: name; "" for ``smtpd`` when root asks, for the current user otherwise.
        group: name; "" for the user's own.

    Raises:
        ConfigError: unknown user or group, or somebody other than root wants to become another.
    """
    root = os.geteuid() == 0
    try:
        named = user or (DEFAULT_USER if root else "")
        entry = pwd.getpwnam(named) if named else pwd.getpwuid(os.geteuid())
    except KeyError:
        return _without_entry(user, root=root)
    gid = entry.pw_gid
    if group:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise ConfigError(
                f"unknown group {group}; create it (groupadd --system {group}) or name another "
                "with --group"
            ) from None
    if not root and entry.pw_uid != os.geteuid():
        raise ConfigError(
            f"only root can become user {entry.pw_name}; start as root, or leave out --user"
        )
    groups = tuple(os.getgrouplist(entry.pw_name, gid)) if root else tuple(os.getgroups())
    return Identity(entry.pw_name, _group_name(gid), entry.pw_uid, gid, groups, entry.pw_dir)


def _without_entry(user: str, *, root: bool) -> Identity:
    if not user and not root:  # a container's number without a name is a user too
        uid, gid = os.geteuid(), os.getegid()
        return Identity(str(uid), _group_name(gid), uid, gid, tuple(os.getgroups()), "/")
    name = user or DEFAULT_USER
    started = "" if user else "started as root, and mail is never handled as root: "
    raise ConfigError(
        f"{started}unknown user {name}; create it (useradd --system {name}) or name another "
        "with --user"
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def assume(identity: Identity) -> None:
    """Become *identity* for good: supplementary groups, group, user, in this order.

    Files made from now on are its own only (umask 077).

    Raises:
        ConfigError: the system refused, or the user cannot even read this program.
    """
    os.umask(0o077)
    if os.geteuid() != 0:
        return
    try:
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        raise ConfigError(
            f"cannot become user {identity.user}, group {identity.group}: {error.strerror}; the "
            "daemon needs CAP_SETUID and CAP_SETGID for that"
        ) from error
    for file in (os.__file__, __file__):
        if not os.access(file, os.R_OK):
            raise ConfigError(
                f"user {identity.user} cannot read {file}; install Python and qpsmtpd where "
                "every user may read, not in a home directory"
            )
    os.environ.update(HOME=identity.home, USER=identity.user, LOGNAME=identity.user)
