"""Run a daemon with options from a file; read again at SIGHUP."""

import json
import sys
from pathlib import Path

from qpsmtpd.cli.serve import run
from qpsmtpd.constants import LOGDEBUG
from qpsmtpd.deploy.options import Options
from qpsmtpd.telemetry.log import Log


def read():
    return Options.decode(json.loads(Path(sys.argv[1]).read_text()))


if __name__ == "__main__":
    sys.exit(run(read(), Log(LOGDEBUG), read))
