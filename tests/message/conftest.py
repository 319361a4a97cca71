"""Messages to test with."""

import contextlib
import os
import random
import resource
import subprocess

import pytest

from qpsmtpd.message import Message, Storage


@pytest.fixture
def make(tmp_path):
    """Make a finished message from content; the spool directory is ``tmp_path / "spool"``."""
    made = []

    def make(*blocks, threshold=1 << 20, verbatim=False, finish=True):
        storage = Storage(str(tmp_path / "spool"), threshold)
        message = Message(storage, verbatim=verbatim)
        made.append(message)
        for block in blocks:
            message.append(block)
        if finish:
            message.finish()
        return message

    yield make
    for message in made:
        message.close()


@pytest.fixture
def full_disk(tmp_path):
    """Directory in which no more than 256 KiB fit into a file."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if (
        os.geteuid() == 0
        and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    ):
        yield place
        subprocess.run(["umount", str(place)], check=True)
        return
    # Where nothing may be mounted, the kernel can still refuse longer files.
    old, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (262144, hard))
    yield place
    resource.setrlimit(resource.RLIMIT_FSIZE, (old, hard))


@pytest.fixture
def descriptors():
    """Count the descriptors this process has open."""

    def count():
        with contextlib.suppress(FileNotFoundError):
            return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all it wants
        return 0

    return count


def cuts(content, seed):
    """Cut content into blocks at random places."""
    dice = random.Random(seed)
    blocks = []
    while content:
        size = dice.choice((1, 2, 3, 7, 50, 1000, 5000))
        blocks.append(content[:size])
        content = content[size:]
    return blocks


@pytest.fixture
def cut():
    """Cut content into blocks: ``cut(content, seed)``."""
    return cuts
