import pytest

from qpsmtpd.plugin import catalogue
from qpsmtpd.plugin.former import ABSENT, GONE, OLD_NAMES, translate


@pytest.mark.parametrize(
    ("old", "words", "new", "today"),
    [
        ("check_badmailfrom", "reject 0", "badmailfrom", "reject 0"),
        ("check_basicheaders", "3", "headers", "past 3 future 3"),
        ("check_basicheaders", "past 3", "headers", "past 3"),
        ("check_earlytalker", "", "earlytalker", "reject_type temp"),
        ("check_earlytalker", "action deny wait 2", "earlytalker", "wait 2 reject_type perm"),
        ("check_earlytalker", "wait 2 action log", "earlytalker", "wait 2 reject 0"),
        ("check_earlytalker", "action", "earlytalker", "action reject_type temp"),
        ("check_norelay", "", "relay", ""),
        ("relay_only", "", "relay", "only 1"),
        ("check_spamhelo", "", "helo", "reject_type disconnect"),
        ("check_spamhelo", "reject_type temp", "helo", "reject_type temp"),
        ("require_resolvable_fromhost", "", "resolvable_fromhost", ""),
    ],
)
def test_old_names(old, words, new, today):
    former = OLD_NAMES[old]
    assert former.name == new
    assert former.arguments(words.split()) == today.split()


def test_files_that_were_merged_are_named():
    assert OLD_NAMES["check_badrcptto_patterns"].note == (
        "move the lines of badrcptto_patterns to badrcptto"
    )


@pytest.mark.parametrize(
    ("name", "words", "today", "notes"),
    [
        ("spamassassin", "reject_threshold 20", "reject 20", 1),
        ("sender_permitted_from", "spf_deny 2", "reject 4", 1),
        ("domainkeys", "warn_only 1", "reject 0", 1),
        ("greylisting", "per_recipient_db 1 remote_ip 1", "remote_ip 1", 1),
        ("greylisting", "db_dir per_recipient_db", "db_dir per_recipient_db", 0),
        ("dnsbl", "disconnect", "reject_type disconnect", 1),
        ("dnsbl", "reject_type disconnect", "reject_type disconnect", 0),
        ("rhsbl", "loglevel 3 disconnect", "loglevel 3 reject_type disconnect", 1),
        ("spamassassin", "reject_threshold", "reject_threshold", 0),
        ("relay", "only 1", "only 1", 0),
    ],
)
def test_old_arguments(name, words, today, notes):
    found, said = translate(name, words.split())
    assert found == today.split()
    assert len(said) == notes


def test_no_name_is_both_old_and_gone():
    assert not OLD_NAMES.keys() & GONE.keys()


def test_what_is_not_here_yet_is_not_here_in_another_way():
    bundled = {name.replace("-", "_") for name in catalogue.bundled()}
    assert not {name.replace("-", "_") for name in ABSENT} & bundled
    assert not ABSENT & GONE.keys()
    assert {former.name for former in OLD_NAMES.values()} <= ABSENT | set(catalogue.bundled())
