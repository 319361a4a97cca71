import os
import subprocess
import sys


def test_a_run_of_pytest_that_has_nothing_to_do_with_mail_pays_nothing():
    """Pytest imports much by itself; what counts is what the module adds to that."""
    program = (
        "import pytest, sys\n"
        "before = set(sys.modules)\n"
        "import qpsmtpd.testing.fixtures\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["qpsmtpd", "qpsmtpd.testing", "qpsmtpd.testing.fixtures"]


def test_names_are_found_where_they_are():
    import qpsmtpd.testing  # noqa: PLC0415 - here only

    for name in qpsmtpd.testing.__all__:
        assert getattr(qpsmtpd.testing, name).__name__ == name
    assert not hasattr(qpsmtpd.testing, "nonsense")


def test_plugins_are_looked_for_where_the_ini_file_says(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "shouts.py").write_text(
        "from qpsmtpd.plugin import DENY\n"
        "def hook_noop(plugin, connection, argument):\n"
        "    return DENY, 'NO'\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nqpsmtpd_plugin_dirs = mine\n")
    (tmp_path / "test_shouts.py").write_text(
        "def test_it(smtpd):\n"
        "    smtpd.load('shouts')\n"
        "    assert smtpd.connect().noop() == (500, 'NO')\n"
    )
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "qpsmtpd.testing.fixtures"]
    run = subprocess.run(
        [sys.executable, *words, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert "2 passed" in run.stdout, run.stdout
