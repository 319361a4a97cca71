import os
import pwd

import pytest

from qpsmtpd.deploy import privileges
from qpsmtpd.deploy.privileges import assume, lookup
from qpsmtpd.errors import ConfigError


@pytest.fixture
def root(monkeypatch):
    monkeypatch.setattr(privileges.os, "geteuid", lambda: 0)


@pytest.fixture
def commoner(monkeypatch):
    monkeypatch.setattr(privileges.os, "geteuid", lambda: 65534)
    monkeypatch.setattr(privileges.os, "getegid", lambda: 65534)


@pytest.mark.usefixtures("root")
def test_root_becomes_the_user_that_is_named():
    found = lookup("nobody")
    entry = pwd.getpwnam("nobody")
    assert (found.uid, found.gid, found.home) == (entry.pw_uid, entry.pw_gid, entry.pw_dir)
    assert found.gid in found.groups
    assert lookup("nobody", "daemon").group == "daemon"


@pytest.mark.usefixtures("root")
def test_root_becomes_smtpd_by_default(monkeypatch):
    def nobody_but_smtpd(name):
        assert name == "smtpd"
        return pwd.struct_passwd(("smtpd", "x", 250, 250, "", "/var/spool/smtpd", "/bin/false"))

    monkeypatch.setattr(privileges.pwd, "getpwnam", nobody_but_smtpd)
    assert lookup("").uid == 250


@pytest.mark.usefixtures("root")
def test_root_without_such_a_user_is_refused(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr(privileges.pwd, "getpwnam", unknown)
    with pytest.raises(ConfigError, match=r"^started as root, .*: unknown user smtpd; create it"):
        lookup("")
    with pytest.raises(
        ConfigError, match=r"^unknown user mail; create it \(useradd --system mail"
    ):
        lookup("mail")


@pytest.mark.usefixtures("root")
def test_an_unknown_group():
    with pytest.raises(ConfigError, match="unknown group fnord; create it"):
        lookup("nobody", "fnord")


@pytest.mark.usefixtures("commoner")
def test_others_stay_who_they_are():
    assert lookup("").uid == 65534
    assert lookup("nobody").uid == 65534
    with pytest.raises(ConfigError, match="only root can become user root; start as root, or"):
        lookup("root")


@pytest.mark.usefixtures("commoner")
def test_a_number_without_a_name_is_a_user_too(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(privileges.pwd, "getpwuid", unknown)
    assert lookup("")[:4] == ("65534", lookup("nobody").group, 65534, 65534)


@pytest.mark.usefixtures("commoner")
def test_assuming_sets_the_umask_for_everybody():
    umask = os.umask(0o022)
    try:
        assume(lookup(""))
        assert os.umask(0o022) == 0o077
    finally:
        os.umask(umask)


@pytest.mark.usefixtures("root")
def test_the_order_and_a_refusal(monkeypatch):
    called = []

    def refuse(*ids):
        called.append("setresuid")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(privileges.os, "setgroups", lambda groups: called.append("setgroups"))
    monkeypatch.setattr(privileges.os, "setresgid", lambda *ids: called.append("setresgid"))
    monkeypatch.setattr(privileges.os, "setresuid", refuse)
    monkeypatch.setattr(privileges.os, "umask", lambda mask: called.append(oct(mask)))
    with pytest.raises(
        ConfigError, match=r"cannot become user nobody, .*: Operation not permitted"
    ):
        assume(lookup("nobody"))
    assert called == ["0o77", "setgroups", "setresgid", "setresuid"]


@pytest.mark.usefixtures("root")
def test_a_user_that_cannot_read_the_program_is_told(monkeypatch):
    for name in ("setgroups", "setresgid", "setresuid", "umask"):
        monkeypatch.setattr(privileges.os, name, lambda *values: None)
    monkeypatch.setattr(privileges.os, "access", lambda path, mode: False)
    with pytest.raises(ConfigError, match=r"user nobody cannot read .*; install Python and"):
        assume(lookup("nobody"))
