import subprocess
import sys

import pytest

from qpsmtpd import plugin


@pytest.mark.parametrize("name", plugin.__all__)
def test_every_name_can_be_imported(name):
    assert getattr(plugin, name) is not None


def test_the_status_functions_are_a_module():
    assert plugin.status.__name__ == "qpsmtpd.status"


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'Session'"):
        _ = plugin.Session


def test_what_a_plugin_does_not_use_is_not_imported():
    program = (
        "import sys, qpsmtpd.plugin\n"
        "print([name for name in ('smtp', 'message', 'services', 'telemetry', 'config')"
        " if f'qpsmtpd.{name}' in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
