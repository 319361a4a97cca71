r"""Mailboxes and paths: parse, format, compare (RFC 5321 §4.1.2, RFC 6531 §3.3).

Rule: text becomes a pair of local part and domain here and nowhere else, and everything decides
and acts on that pair. Where two readers could split a text differently, it is refused.

Departures from qpsmtpd's grammar:

==========================  ========================  =========================================
path                        qpsmtpd                   here
==========================  ========================  =========================================
``<a@c/d>``, ``<a@c d>``    accepted                  refused: the dot alone separates labels
``<a@b_c.d>``               accepted (by accident)    accepted: hosts are named so; also ``_`` at
                                                      the ends of a label
``<a@b@c.d>``               local part ``a@b``        refused: only quotes may hold a second at
``<a"b@c.d>``, ``<a\b@c>``    accepted                  refused, as are ``<`` and ``>``: only a
                                                      quoted string may hold quotes, backslashes
                                                      and angle brackets
``<"a b"@c.d>``             refused                   accepted (RFC 5321 quoted string); the text
                                                      form is still ``<"a\ b"@c.d>``
``<""@c.d>``                refused                   accepted (RFC 5321): an empty local part
``<".a"@c.d>``              text form ``<.a@c.d>``    text form stays quoted, so it parses again
``<a,b@c.d>``               text form not quoted      text form ``<"a\,b"@c.d>``
``<abuse>``                 refused                   accepted in any case of letters, like
                                                      ``<postmaster>``
``<a@[999.2.3.4]>``         accepted                  refused: each number is 0 to 255
``<a@[01.2.3.4]>``          accepted                  refused: readers disagree about the base
``<a@[IPv6:1]>``            accepted                  refused: must be an IPv6 address
``<a@[ipv6:::1]>``          refused                   accepted (the tag has no case)
control octets              some accepted             refused everywhere
octets over 127             after a first atom        refused, unless SMTPUTF8 was asked for; the
                                                      domain then becomes A-labels
length                      no limit                  local part 64, domain 255, label 63, path
                                                      256 octets, in the form with the fewest
                                                      quotes
mailbox ``junk`` without @  silently the null path    refused, except ``postmaster`` and ``abuse``
comparison                  letter case counts        the domain's does not
==========================  ========================  =========================================

Kept although RFC 5321 has it otherwise: unquoted spaces and specials after the first character
(``<foo bar@b.c>`` is ``<"foo\ bar"@b.c>``), dots at the end of or doubled in a local part,
source routes (dropped), ``<@x:>`` as the null path, domains that end in a number.
"""

import re
from functools import total_ordering
from typing import Any, Final

from qpsmtpd.errors import AddressError

__all__ = ["Address"]

_MAX_LOCAL: Final = 64  #: octets, RFC 5321 §4.5.3.1.1
_MAX_DOMAIN: Final = 255  #: octets, §4.5.3.1.2
_MAX_PATH: Final = 256  #: octets with both brackets, §4.5.3.1.3
_MAX_LABEL: Final = 63  #: octets, RFC 1035 §2.3.4
#: octets of a path as sent, source route and needless quotes included: that of a command line
_MAX_SENT: Final = 512

# Groups repeat without possessive marks: Python before 3.11.5 gets those wrong. No group can match
# the same text in two ways, so matching stays linear.
_ATEXT: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_DOMAIN: Final = r"\w++(?:(?:\.|-++)\w++)*"
_LITERAL: Final = r"\[[0-9A-Za-z:.]++\]"
#: what no address may hold: C0, DEL, C1, the separators Unicode counts as line ends, lone halves
_HALVES: Final = f"{chr(0xD800)}-{chr(0xDFFF)}"
_CONTROL: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_HALVES}]")

_plain = re.compile(rf"<([{_ATEXT}][{_ATEXT}.]*+)@({_DOMAIN})>", re.ASCII).fullmatch
_local = re.compile(rf"[{_ATEXT}\x80-\U0010ffff][^@<>\"\\]*+").fullmatch
_quoted = re.compile(r'"((?:[^"\\]++|\\[ -~])*)"').fullmatch
_escaped = re.compile(r"\\(.)")
_unsafe = re.compile(rf"[^{_ATEXT}.\x80-\U0010ffff]")
_domain = re.compile(_DOMAIN, re.ASCII).fullmatch
_literal = re.compile(_LITERAL).fullmatch
_number = re.compile("0|[1-9][0-9]{0,2}").fullmatch
_route = re.compile(rf"@(?:{_DOMAIN}|{_LITERAL})(?:,@(?:{_DOMAIN}|{_LITERAL}))*:", re.ASCII).match

_new = object.__new__

#: names that need no domain (RFC 5321 §4.1.1.3, RFC 2142 §4)
_HOSTLESS: Final = frozenset({"postmaster", "abuse"})


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _shortest(user: str) -> int:
    """Octets of a local part in the form with the fewest quotes."""
    if user and user[0] != "." and _unsafe.search(user) is None:
        return _octets(user)
    return _octets(user) + 2 + user.count('"') + user.count("\\")


def _ipv4(text: str) -> bool:
    numbers = text.split(".")
    return len(numbers) == 4 and all(_number(part) and int(part) < 256 for part in numbers)


def _ipv6(text: str) -> bool:
    # A module of 10 ms that nearly no session needs.
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415

    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _a_labels(host: str) -> str:
    """Turn an internationalised domain into A-labels (RFC 5890 §2.3.2.1).

    Raises:
        AddressError: a label is no U-label.
    """
    # Only SMTPUTF8 needs its tables.
    import idna  # noqa: PLC0415

    labels = []
    for label in host.lower().split("."):
        try:
            labels.append(label if label.isascii() else idna.alabel(label).decode("ascii"))
        except idna.IDNAError as error:
            raise AddressError(f"domain is not valid: {error}") from error
    return ".".join(labels)


def _check_host(host: str) -> str:
    """Return the domain to use for *host*.

    Raises:
        AddressError: it is neither a domain name nor an address literal.
    """
    if not host.isascii():
        host = _a_labels(host)
    if _domain(host):
        if len(host) > _MAX_DOMAIN or max(map(len, host.split("."))) > _MAX_LABEL:
            raise AddressError("domain is too long")
        return host
    if _literal(host):
        text = host[1:-1]
        if _ipv6(text[5:]) if text[:5].lower() == "ipv6:" else _ipv4(text):
            return host
    raise AddressError("domain is not valid")


@total_ordering
class Address:
    """A mailbox, the null path, or a name without a domain such as ``postmaster``.

    Equal and hashed by local part and lower-cased domain, ordered by domain first. It may also be
    compared with text, in either form: ``<user@host>`` or ``user@host``.

    Attributes:
        user: the local part without quotes and backslashes, letter case kept.
        host: the domain or address literal, letter case kept; "" for the null path and names
            without a domain.
    """

    __slots__ = ("_notes", "host", "user")

    _notes: dict[str, Any] | None

    def __init__(self, user: str = "", host: str = "") -> None:
        """Take a local part and a domain as they are, without looking at the grammar.

        Raises:
            AddressError: one of them holds a control octet, so it cannot be sent to anybody.
        """
        if not (user.isprintable() and host.isprintable()) and (
            _CONTROL.search(user) or _CONTROL.search(host)
        ):
            raise AddressError("address holds control characters")
        self.user = user
        self.host = host
        self._notes = None

    @classmethod
    def parse(cls, path: str, *, smtputf8: bool = False) -> "Address":
        """Read a path in angle brackets, as MAIL and RCPT bring it.

        Args:
            path: ``<user@host>``, ``<>``, ``<postmaster>``, with or without a source route.
            smtputf8: the client asked for SMTPUTF8 (RFC 6531 §3.4), so octets over 127 may occur.

        Raises:
            AddressError: the path is outside the grammar or too long.
        """
        return cls.plain(path) or cls._parse(path, smtputf8)

    @classmethod
    def plain(cls, path: str) -> "Address | None":
        """Read a path of the kind that nearly all are, and that ``format`` gives back unchanged.

        Returns:
            The mailbox; None when it takes ``parse`` to tell what the path is.
        """
        length = len(path)
        found = _plain(path) if length <= _MAX_PATH else None
        if found is not None:
            user, host = found.groups()
            if length <= _MAX_LABEL or (
                len(user) <= _MAX_LOCAL and max(map(len, host.split("."))) <= _MAX_LABEL
            ):
                self = _new(cls)
                self.user = user
                self.host = host
                self._notes = None
                return self
        return None

    @classmethod
    def _parse(cls, path: str, smtputf8: bool) -> "Address":  # noqa: FBT001 - private
        """Read what is not plain."""
        if len(path) > _MAX_SENT:
            raise AddressError("path is too long")
        if path[:1] != "<" or path[-1:] != ">" or len(path) < 2:
            raise AddressError("path is not in angle brackets")
        if _CONTROL.search(path):
            raise AddressError("path holds control characters")
        if not smtputf8 and not path.isascii():
            raise AddressError("path holds octets over 127 without SMTPUTF8")
        mailbox = path[1:-1]
        if route := _route(mailbox):
            mailbox = mailbox[route.end() :]
        if not mailbox:
            return cls("", "")
        if mailbox.lower() in _HOSTLESS:
            return cls(mailbox.lower(), "")
        local, at, host = mailbox.rpartition("@")
        if not at:
            raise AddressError("mailbox has no domain")
        if quoted := _quoted(local):
            user = _escaped.sub(r"\1", quoted[1])
        elif _local(local):
            user = local
        else:
            raise AddressError("local part is not valid")
        host = _check_host(host)
        length = _shortest(user)
        if length > _MAX_LOCAL:
            raise AddressError("local part is too long")
        if length + len(host) + 3 > _MAX_PATH:
            raise AddressError("path is too long")
        return cls(user, host)

    @classmethod
    def from_mailbox(cls, mailbox: str) -> "Address":
        """Take ``user@host`` from a trusted place, such as a control file; the last @ splits.

        Neither part is unquoted or held against the grammar. "" is the null path.

        Raises:
            AddressError: there is no @ and it is no name that needs none, or it holds control
                octets.
        """
        user, at, host = mailbox.rpartition("@")
        if at or not mailbox:
            return cls(user, host)
        if mailbox.lower() in _HOSTLESS:
            return cls(mailbox.lower(), "")
        raise AddressError("mailbox has no domain")

    @property
    def notes(self) -> dict[str, Any]:
        """What plugins remember about this address."""
        if self._notes is None:
            self._notes = {}
        return self._notes

    @property
    def is_null(self) -> bool:
        """True for ``<>``, the reverse-path of bounces (RFC 5321 §4.5.5)."""
        return not self.user and not self.host

    @property
    def address(self) -> str:
        """``user@host`` without quoting; the name alone without a domain; "" for the null path."""
        return f"{self.user}@{self.host}" if self.host else self.user

    def format(self) -> str:
        """Return the path with its brackets, quoted where RFC 5321 asks for it.

        ``parse`` of the result, with SMTPUTF8, gives this address again.
        """
        user = self.user
        if _unsafe.search(user) or user[:1] == ".":
            user = '"' + _unsafe.sub(r"\\\g<0>", user) + '"'
        if self.host:
            return f"<{user}@{self.host}>" if user else f'<""@{self.host}>'
        return f"<{user}>"

    def __str__(self) -> str:
        return self.format()

    def __repr__(self) -> str:
        return f"Address({self.user!r}, {self.host!r})"

    def _key(self) -> tuple[str, str]:
        return self.host.lower(), self.user

    def __hash__(self) -> int:
        return hash((self.user, self.host.lower()))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Address):
            return self.user == other.user and self.host.lower() == other.host.lower()
        if isinstance(other, str):
            local, at, host = other.rpartition("@")
            text = local + at + host.lower() if at else other
            host = self.host.lower()
            return text in {
                f"{self.user}@{host}" if host else self.user,
                Address(self.user, host).format(),
            }
        return NotImplemented

    def __lt__(self, other: object) -> bool:
        if isinstance(other, Address):
            return self._key() < other._key()
        if isinstance(other, str):
            mailbox = other.removeprefix("<").removesuffix(">")
            user, at, host = mailbox.rpartition("@")
            return self._key() < ((host.lower(), user) if at else ("", mailbox))
        return NotImplemented
