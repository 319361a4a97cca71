"""Names and arguments of older qpsmtpd releases that configurations still have.

Rule: a line that once worked either means what it meant, or says what it means now.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

__all__ = ["ABSENT", "GONE", "OLD_NAMES", "Former", "translate"]

Words = list[str]


class Former(NamedTuple):
    """What an old name stands for."""

    name: str  #: of today
    arguments: Callable[[Words], Words] = list  #: turns old words to those of today
    note: str = ""  #: what is different, for the log


def _basic_headers(words: Words) -> Words:
    """Turn the single word of check_basicheaders to days in both directions."""
    if len(words) == 1 and words[0].isdecimal():
        return ["past", words[0], "future", words[0]]
    return words


def _early_talker(words: Words) -> Words:
    """Turn ``action deny|denysoft|log``; the default was denysoft."""
    actions = {"deny": ["reject_type", "perm"], "log": ["reject", "0"]}
    rest, action = list(words), "denysoft"
    if "action" in rest[:-1]:
        at = rest.index("action")
        action = rest[at + 1].lower()
        del rest[at : at + 2]
    return rest + actions.get(action, ["reject_type", "temp"])


def _only_relays(words: Words) -> Words:
    return [*words, "only", "1"]


def _disconnect(words: Words) -> Words:
    """Refuse and hang up, as check_spamhelo did."""
    return words if "reject_type" in words else [*words, "reject_type", "disconnect"]


_PATTERNS: Final = "move the lines of {0}_patterns to {0}"

#: by old name; ``async/`` in front of any name is dropped, too
OLD_NAMES: Final[Mapping[str, Former]] = {
    "check_badmailfrom": Former("badmailfrom"),
    "check_badmailfrom_patterns": Former("badmailfrom", note=_PATTERNS.format("badmailfrom")),
    "check_badmailfromto": Former("badmailfromto"),
    "check_badrcptto": Former("badrcptto"),
    "check_badrcptto_patterns": Former("badrcptto", note=_PATTERNS.format("badrcptto")),
    "check_basicheaders": Former("headers", _basic_headers),
    "check_bogus_bounce": Former("bogus_bounce"),
    "check_earlytalker": Former("earlytalker", _early_talker),
    "check_loop": Former("loop"),
    "check_norelay": Former("relay"),
    "check_relay": Former("relay"),
    "relay_only": Former("relay", _only_relays),
    "check_spamhelo": Former("helo", _disconnect),
    "require_resolvable_fromhost": Former("resolvable_fromhost"),
}

_SCANNER: Final = "the scanner is no longer made; see virus/clamdscan"

#: lines that are passed over, and why
GONE: Final[Mapping[str, str]] = {
    "auth/authnull": "it took every password; see auth/auth_flat_file",
    "bounce_verp": "nothing replaces it",
    "logging/connection_id": "every event has a connection id; see logging/json",
    "logging/transaction_id": "every event has a transaction id; see logging/json",
    "saslauth": "AUTH is part of the session; load a plugin below auth/",
    "skip_plugins": "nothing replaces it",
    "virus/aveclient": _SCANNER,
    "virus/bitdefender": _SCANNER,
    "virus/check_for_hi_virus": "the worm is extinct",
    "virus/hbedv": _SCANNER,
    "virus/kavscanner": _SCANNER,
    "virus/sophie": _SCANNER,
    "virus/uvscan": _SCANNER,
}

_ABSENT: Final = """
    auth/auth_checkpassword auth/auth_cvm_unix_local auth/auth_flat_file auth/auth_imap
    auth/auth_ldap_bind auth/auth_vpopmail auth/auth_vpopmail_sql auth/auth_vpopmaild auth/authdeny
    badmailfrom badmailfromto badrcptto bogus_bounce dkim dmarc dns_whitelist_soft dnsbl domainkeys
    dspam fcrdns greylisting headers helo ident/geoip ident/p0f karma loop milter naughty
    qmail_deliverable queue/exim-bsmtp queue/postfix-queue queue/qmail-queue queue/smtp-forward
    rcpt_map rcpt_regexp resolvable_fromhost rhsbl sender_permitted_from spamassassin stunnel tls
    uribl virus/clamav virus/clamdscan virus/klez_filter whitelist
"""
#: plugins of the original that are not here yet
ABSENT: Final = frozenset(_ABSENT.split())

#: by plugin and old key: the key of today, and values that changed; None drops the pair
_OLD_KEYS: Final[Mapping[str, Mapping[str, tuple[str, Mapping[str, str]] | None]]] = {
    "domainkeys": {"warn_only": ("reject", {"0": "1", "1": "0"})},
    "greylisting": {"grey_timeout": None, "per_recipient_db": None},
    "sender_permitted_from": {"spf_deny": ("reject", {"0": "0", "1": "3", "2": "4"})},
    "spamassassin": {"reject_threshold": ("reject", {})},
}

#: by plugin: a word that stood alone, and the words of today
_OLD_WORDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "dnsbl": {"disconnect": ("reject_type", "disconnect")},
    "rhsbl": {"disconnect": ("reject_type", "disconnect")},
}


def translate(name: str, words: Words) -> tuple[Words, list[str]]:
    """Turn old arguments of a plugin that kept its name to those of today.

    Args:
        name: of the plugin, without instance.
        words: what follows it.

    Returns:
        The words of today, and a note for the log on each that was old.
    """
    keys, alone = _OLD_KEYS.get(name, {}), _OLD_WORDS.get(name, {})
    if not keys and not alone:
        return words, []
    today: Words = []
    notes: list[str] = []
    rest = list(reversed(words))
    expected = True  # a key, not the value of one
    while rest:
        word = rest.pop()
        if expected and word in alone:
            today.extend(alone[word])
            notes.append(f"{word} is now {' '.join(alone[word])}")
            continue
        if expected and word in keys and rest:
            value, new = rest.pop(), keys[word]
            if new is None:
                notes.append(f"{word} is no longer used")
                continue
            pair = new[0], new[1].get(value, value)
            today.extend(pair)
            notes.append(f"{word} {value} is now {' '.join(pair)}")
            continue
        today.append(word)
        expected = not expected
    return today, notes
