from qpsmtpd.message import Storage
from qpsmtpd.smtp.settings import SessionSettings


def test_the_greeting_says_esmtp():
    assert SessionSettings(me="mx").greeting.startswith("mx ESMTP qpsmtpd ready;")
    assert "qpsmtpd 2.0 ready" in SessionSettings(version="2.0").greeting
    assert SessionSettings(greeting="hi").greeting == "hi ESMTP"
    assert SessionSettings(greeting="ESMTP hi").greeting == "ESMTP hi"


def test_extensions_follow_the_settings():
    assert "ENHANCEDSTATUSCODES" in SessionSettings().extensions.keywords
    off = SessionSettings(enhanced_status_codes=False, disabled_extensions=frozenset({"DSN"}))
    assert off.extensions.keywords.isdisjoint({"ENHANCEDSTATUSCODES", "DSN"})


def test_defaults():
    settings = SessionSettings(me="mx")
    assert settings.auth_results_id == "mx"
    assert SessionSettings(auth_results_id="none").auth_results_id == "none"
    assert settings.storage == Storage()
    assert SessionSettings(storage=Storage("/x")).storage.spool_dir == "/x"
