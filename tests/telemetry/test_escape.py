import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.telemetry.escape import escape, mask

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("tab\t", "tab\\x09"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x7f\x80\x9f", "\\x7f\\x80\\x9f"),
        ("Grüße, 世界", "Grüße, 世界"),
        ("back\\slash", "back\\slash"),
        (b"\xff".decode("utf-8", "surrogateescape"), "\\xff"),
        ("\ud800", "\\ud800"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_escape(text, written):
    assert escape(text) == written


@given(ANYTHING)
def test_what_is_written_is_one_line_of_utf8_without_controls(text):
    written = escape(text)
    assert len(written.splitlines()) <= 1
    assert written.encode().decode() == written
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in written)


@given(ANYTHING)
def test_what_is_printable_is_kept(text):
    kept = "".join(filter(str.isprintable, text))
    assert escape(kept) == kept


@given(ANYTHING)
def test_escaping_twice_changes_nothing_more(text):
    assert escape(escape(text)) == escape(text)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("AUTH PLAIN AHVzZXIAcGFzcw==", "AUTH PLAIN ***"),
        ("auth plain\tAHVzZXIAcGFzcw==\r\n", "auth plain ***"),
        (b"AUTH LOGIN dXNlcg==", "AUTH LOGIN ***"),
        ("AUTH  SCRAM-SHA-256-PLUS  biws", "AUTH  SCRAM-SHA-256-PLUS ***"),
        ("AUTH CRAM-MD5", "AUTH CRAM-MD5"),
        ("AUTH PLAIN ", "AUTH PLAIN"),
        ("AUTH", "AUTH"),
        ("AUTH AHVzZXIAcGFzcw==", "AUTH ***"),
        ("AUTH AHVzZXIAcGFzcw== more", "AUTH ***"),
        (" AUTH PLAIN AHVzZXIAcGFzcw==", " AUTH PLAIN ***"),
        ("MAIL FROM:<a@example.org> AUTH=<>", "MAIL FROM:<a@example.org> AUTH=<>"),
        (b"NOOP \xff", "NOOP \udcff"),
    ],
)
def test_mask(line, shown):
    assert mask(line) == shown


@given(st.text(st.characters(codec="ascii"), min_size=4).filter(lambda text: "*" not in text))
def test_no_response_survives(response):
    secret = "".join(response.split())
    if secret and secret not in "AUTH PLAIN ":
        assert secret not in mask(f"AUTH PLAIN {secret}")
