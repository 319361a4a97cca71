from qpsmtpd.constants import LOGERROR
from qpsmtpd.telemetry.log import Log


def test_it_silences_the_built_in_log(load, capsys):
    plugin = load("logging/devnull")
    log = Log(writers=[plugin.hook_logging])
    log.log(LOGERROR, "nobody reads this")
    log.log(0, "nor this")
    assert capsys.readouterr().err == ""
    assert log.threshold == 0
