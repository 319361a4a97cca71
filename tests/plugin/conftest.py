import pytest

from qpsmtpd.plugin.services import Services


class Recorder:
    """A log that remembers."""

    def __init__(self, threshold=7):
        self.threshold = threshold
        self.lines = []

    def log(self, level, text, *, plugin="", hook="", connection=None, **fields):
        self.lines.append((int(level), hook, plugin, text))

    @property
    def texts(self):
        return [text for _, _, _, text in self.lines]


@pytest.fixture
def logger():
    return Recorder()


@pytest.fixture
def services(logger):
    return Services(None, logger)


@pytest.fixture
def write(tmp_path):
    """Write a plugin file; returns its directory, to be searched."""

    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return str(tmp_path)

    return write_file
