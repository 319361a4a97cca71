"""The settings table."""

import pytest

from qpsmtpd.config import SETTINGS, Config, Type
from qpsmtpd.config.control import Content
from qpsmtpd.config.schema import Table, nearest
from qpsmtpd.config.value import read
from qpsmtpd.deploy.models import MODELS
from qpsmtpd.smtp.extension import KEYWORDS


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_row_is_complete(setting):
    assert SETTINGS[setting.name] is setting
    assert setting.summary.endswith((".", ";")), "a sentence for people"
    assert "  " not in setting.summary
    assert bool(setting.choices) == (setting.type in {Type.CHOICE, Type.WORDS})
    assert setting.table is Table.SETTINGS or not setting.owner


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_default_can_be_read_as_its_type(setting):
    content = Content()
    for text in setting.default_lines:
        content.add(text, "default", 0)
    if content.texts:
        assert read(setting, content) is not None


def test_defaults_are_those_of_the_original():
    config = Config(directories=[])
    assert config.get("timeout") == 1200
    assert config.get("loglevel") == 4
    assert config.get("databytes") == 0
    assert config.get("spool_perms") == 0o700
    assert config.get("tls_before_auth") is False
    assert config.get("rcpthosts") == []
    assert config.get("smtpgreeting") is None


def test_defaults_that_the_original_does_not_have():
    config = Config(directories=[])
    assert config.get("size_threshold") == 256 * 1024
    assert config.get("bare_newline") == "reject"
    assert config.get("max_header") == 262144
    assert config.get("slow_hook") == 0.05
    assert config.get("session_timeout") == 21600
    assert config.get("connections") is None, "each model has its own"


def test_default_lines_of_several():
    several = SETTINGS["rcpthosts"]._replace(default=("a", "b"))
    assert several.default_lines == ("a", "b")


def test_every_extension_can_be_disabled():
    assert set(SETTINGS["disable_extensions"].choices) == KEYWORDS.keys()


def test_every_deployment_model_can_be_chosen():
    assert set(SETTINGS["model"].choices) == MODELS.keys()


def test_nearest():
    assert nearest("databyte", SETTINGS) == " (did you mean databytes?)"
    assert nearest("qqqqqq", SETTINGS) == ""
