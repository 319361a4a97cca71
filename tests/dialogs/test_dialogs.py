from pathlib import Path

import pytest

from qpsmtpd.testing.dialog import Dialog
from qpsmtpd.testing.memory import MemoryServer

DIALOGS = sorted(Path(__file__).parent.glob("*.smtp"))
ANSWERS = [path for path in DIALOGS if path.stem.startswith("answers_")]


def name(path):
    return path.stem


@pytest.mark.parametrize("octets", [False, True], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("path", DIALOGS, ids=name)
def test_dialog(smtpd, path, octets):
    dialog = Dialog.open(path)
    dialog.run(MemoryServer(smtpd, dialog), octets=octets)


@pytest.mark.parametrize("kind", ["blocking", "async"])
@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_what_kind_a_handler_is_makes_no_difference(smtpd, path, kind):
    dialog = Dialog.open(path)
    dialog.plugins = [f"{line} kind={kind}" for line in dialog.plugins]
    dialog.run(MemoryServer(smtpd, dialog))
    assert smtpd.clock.slept


def test_there_are_dialogs():
    assert len(DIALOGS) > 30
    assert len(ANSWERS) > 3


@pytest.mark.parametrize("path", DIALOGS, ids=name)
def test_a_dialog_says_why(path):
    assert path.read_text(encoding="utf-8").startswith("# ")
