import subprocess
import sys

import pytest

import qpsmtpd.services


@pytest.mark.parametrize("name", qpsmtpd.services.__all__)
def test_every_public_name_is_found(name):
    assert getattr(qpsmtpd.services, name).__name__ == name


@pytest.mark.parametrize("package", ["services", "services.dns", "services.store"])
def test_other_names_are_not(package):
    module = __import__(f"qpsmtpd.{package}", fromlist=["x"])
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = module.Nonsense


# The first of them loads nothing, the blocking flavours load no event loop, and the codec waits
# for the first answer.
IMPORTS = {
    "import qpsmtpd.services": ["asyncio", "sqlite3", "dns", "subprocess", "json", "socket"],
    "from qpsmtpd.services import BlockingDns, BlockingProcess, SystemClock": [
        "asyncio",
        "sqlite3",
        "dns",
        "subprocess",
        "ssl",
    ],
    "from qpsmtpd.services import SqliteStore": ["asyncio", "dns", "socket"],
    "import qpsmtpd.services.dns, qpsmtpd.services.store, qpsmtpd.services.process": [
        "asyncio",
        "sqlite3",
        "dns",
        "subprocess",
    ],
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_what_is_not_used_is_not_loaded(statement):
    code = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run(  # -S: site packages may load what they like
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(IMPORTS[statement])
