"""What tests of single plugins share: a configuration, a clock, a log, and the real loader."""

import pytest

from qpsmtpd.address import Address
from qpsmtpd.message import Message
from qpsmtpd.plugin.loader import Services, load_plugin
from qpsmtpd.services import BlockingProcess, FakeClock
from qpsmtpd.smtp.connection import Connection
from qpsmtpd.smtp.transaction import Transaction


class Settings:
    """A configuration made of lists; a list is the same object until it is set again."""

    def __init__(self):
        self.values = {"me": ["mx.example.org"]}
        self.maps = {}
        self.nothing = []

    def set(self, name, *lines):
        self.values[name] = list(lines)

    def lines(self, name):
        return self.values.get(name, self.nothing)

    def text(self, name):
        return next(iter(self.lines(name)), None)

    def map(self, name):
        return self.maps.get(name, {})


class Recorder:
    """A log that keeps what it gets."""

    threshold = 7

    def __init__(self):
        self.lines = []

    def log(self, level, text, *, plugin="", hook="", connection=None, **fields):
        self.lines.append((level, text))

    def texts(self, most=7):
        return [text for level, text in self.lines if level <= most]


@pytest.fixture
def config():
    return Settings()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def log():
    return Recorder()


@pytest.fixture
def services(config, clock, log):
    return Services(config, log, clock=clock, process=BlockingProcess())


@pytest.fixture
def load(services):
    """Load one line of config/plugins."""

    def load(line, *, search=(), strict=True):
        return load_plugin(line, services, search, strict=strict)

    return load


@pytest.fixture
def connect(log):
    """Make a connection; its log is the recorder."""

    def connect(remote_ip="192.0.2.1", **arguments):
        return Connection(remote_ip, 12345, connection_id="c1", logger=log, **arguments)

    return connect


@pytest.fixture
def begin(connect):
    """Make a transaction with a message."""

    def begin(*recipients, sender="sender@example.net", content=b"Subject: x\n\nbody\n", **about):
        connection = about.pop("connection", None) or connect(**about)
        who = Address.from_mailbox(sender) if sender else Address("", "")
        transaction = Transaction(connection, who)
        connection.transaction = transaction
        transaction.recipients.extend(Address.from_mailbox(one) for one in recipients)
        message = Message()
        message.append(content)
        message.finish()
        transaction.message = message
        return transaction

    return begin
