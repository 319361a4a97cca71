"""A client of the blocking driver that is no descriptor."""

from tests.smtp.ways import replies


class Script:
    """A client that does as it is told, on a clock of its own."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.now = 0.0
        self.waits = []
        self.written = []

    def read(self, seconds):
        self.waits.append(seconds)
        assert seconds > 0
        step = self.steps.pop(0) if self.steps else b""
        if isinstance(step, float):  # silence
            taken, step = min(step, seconds), None
            self.now += taken
        return step

    def write(self, data):
        assert data
        self.written.append(data)

    def monotonic(self):
        return self.now

    @property
    def codes(self):
        return [int(reply[:3]) for reply in replies(b"".join(self.written))]
