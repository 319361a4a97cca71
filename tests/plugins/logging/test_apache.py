import sys
from types import ModuleType

import pytest

from qpsmtpd.constants import LOGINFO, LOGWARN
from qpsmtpd.errors import ConfigError


def test_outside_apache_it_refuses_and_names_the_remedy(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "mod_python.apache", None)
    with pytest.raises(ConfigError, match="logging/warn"):
        load("logging/apache")


def test_inside_apache_events_keep_their_level(load, event, monkeypatch):
    written = []
    apache = ModuleType("mod_python.apache")
    apache.log_error = lambda text, level: written.append((text, level))
    monkeypatch.setitem(sys.modules, "mod_python", ModuleType("mod_python"))
    monkeypatch.setitem(sys.modules, "mod_python.apache", apache)
    plugin = load("logging/apache LOGWARN")
    plugin.hook_logging(event(LOGWARN, "text"))
    plugin.hook_logging(event(LOGINFO, "too much"))
    assert written == [("77 text", LOGWARN)]
