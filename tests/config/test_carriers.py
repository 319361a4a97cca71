"""Where settings are read from."""

import os
from pathlib import Path

import pytest

from qpsmtpd.config.carriers import TOML, Carriers
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Make the four directories; returns a function that makes carriers."""
    for name in ("explicit", "program/config", "work/config", "qmail/control"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")

    def make(toml=None, **environ):
        environ = {
            "QPSMTPD_CONFIG": f"{tmp_path}/explicit",
            "QMAIL": f"{tmp_path}/qmail",
        } | environ
        return Carriers(None, environ, f"{tmp_path}/program", toml)

    return make


def lay(tmp_path, name, content="x\n"):
    path = tmp_path / name
    path.write_text(content)
    return str(path)


def texts(carriers, name):
    content, problems = carriers.content(name, Watch())
    assert problems == []
    return content.texts


def test_directories_are_searched_in_the_order_of_the_original(tmp_path, places):
    carriers = places()
    for name in ("qmail/control", "work/config", "program/config", "explicit"):
        lay(tmp_path, f"{name}/me", name)
        assert texts(carriers, "me") == [name]
        assert carriers.directory("me") == f"{tmp_path}/{name}"


def test_each_file_is_searched_by_itself(tmp_path, places):
    carriers = places()
    lay(tmp_path, "qmail/control/rcpthosts", "from qmail")
    lay(tmp_path, "explicit/me", "from qpsmtpd")
    assert texts(carriers, "rcpthosts") == ["from qmail"]
    assert texts(carriers, "me") == ["from qpsmtpd"]
    assert texts(carriers, "databytes") == []
    assert carriers.directory("databytes") == f"{tmp_path}/qmail/control"


def test_defaults_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    carriers = Carriers(None, {}, None, None)
    assert carriers.directories == (f"{tmp_path}/config", "/var/qmail/control")
    assert carriers.directory("no such file") == "/var/qmail/control"
    assert carriers.explicit == ()
    assert carriers.qmail == "/var/qmail/control"


def test_no_directories_at_all():
    carriers = Carriers([], {}, None, None)
    assert carriers.directory("me") == ""
    assert texts(carriers, "me") == []


def test_a_relative_directory_is_that_of_now(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    carriers = Carriers(None, {"QPSMTPD_CONFIG": "c"}, None, None)
    lay_in = tmp_path / "c"
    lay_in.mkdir()
    (lay_in / "me").write_text("x")
    monkeypatch.chdir("/")
    assert texts(carriers, "me") == ["x"]
    assert Carriers(["c"], {}, None, None).directories == ("/c",)


def test_a_working_directory_that_was_removed(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    carriers = Carriers(None, {"QPSMTPD_CONFIG": "/etc/q", "QMAIL": "/q"}, None, None)
    assert carriers.directories == ("/etc/q", "/q/control")


def test_qmails_directory_may_be_asked_for(tmp_path, places):
    carriers = places(QPSMTPD_CONFIG=f"{tmp_path}/qmail/control")
    assert carriers.qmail == ""
    assert carriers.directories.count(f"{tmp_path}/qmail/control") == 1


def test_a_directory_asked_for_is_not_passed_over(tmp_path, places, monkeypatch):
    lay(tmp_path, "qmail/control/rcpthosts", "everybody.example")
    real = os.stat

    def refuse(path, *arguments, **options):
        if "/explicit/" in str(path) or "/work/" in str(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    def refuse_open(path, *arguments):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refuse)
    with monkeypatch.context() as context:
        context.setattr(os, "open", refuse_open)
        with pytest.raises(ConfigError, match="explicit/rcpthosts: cannot be read: Permission"):
            places(toml="").content("rcpthosts", Watch())
    carriers = places(toml="", QPSMTPD_CONFIG="")
    assert texts(carriers, "rcpthosts") == ["everybody.example"], "others are"


@pytest.mark.parametrize("name", ["", ".", "../me", "/etc/passwd", "dkim//x", "a/../b", "a\0b"])
def test_names_cannot_lead_elsewhere(places, name):
    for look_up in (places().content, places().locate, places().database):
        with pytest.raises(ConfigError, match="cannot be the name of a control file"):
            look_up(name, Watch())


def test_included_names_are_searched_like_others(tmp_path, places):
    lay(tmp_path, "explicit/rcpthosts", "a\n$include more\n")
    lay(tmp_path, "qmail/control/more", "b")
    assert texts(places(), "rcpthosts") == ["a", "b"]


# ---------------------------------------------------------------------------------- databases


def test_a_database_goes_before_text_of_its_directory(tmp_path, places):
    carriers = places()
    text = lay(tmp_path, "explicit/morercpthosts")
    assert carriers.database("morercpthosts", Watch()) == (None, [])
    made = lay(tmp_path, "explicit/morercpthosts.cdb")
    os.utime(text, (1, 1))
    assert carriers.database("morercpthosts", Watch()) == (made, [])


def test_a_lone_database_is_found(tmp_path, places):
    made = lay(tmp_path, "work/config/morercpthosts.cdb")
    watch = Watch()
    assert places().database("morercpthosts", watch) == (made, [])
    assert f"{tmp_path}/explicit/morercpthosts" in watch.stamps


def test_text_hides_databases_of_directories_below(tmp_path, places):
    lay(tmp_path, "explicit/morercpthosts")
    lay(tmp_path, "qmail/control/morercpthosts.cdb")
    assert places().database("morercpthosts", Watch()) == (None, [])


def test_nothing_is_no_database(places):
    assert places().database("morercpthosts", Watch()) == (None, [])


def test_a_database_older_than_its_text_is_worth_a_warning(tmp_path, places):
    made = lay(tmp_path, "explicit/morercpthosts.cdb")
    lay(tmp_path, "explicit/morercpthosts")
    os.utime(made, (1, 1))
    path, problems = places().database("morercpthosts", Watch())
    assert path == made
    assert problems[0].warning
    assert str(problems[0]) == (
        f"{made}: is older than {made[:-4]}, which it is made from; make it again"
    )


# ---------------------------------------------------------------------------------- TOML


def test_toml_is_found_like_a_control_file(tmp_path, places):
    carriers = places()
    assert carriers.toml is None
    lay(tmp_path, f"work/config/{TOML}", '[settings]\nme = "x"')
    assert places().toml == f"{tmp_path}/work/config/{TOML}"
    assert texts(places(), "me") == ["x"]
    assert places(toml="").toml is None


def test_toml_may_be_named(tmp_path, places):
    path = lay(tmp_path, "other.toml", '[settings]\nme = "x"')
    assert texts(places(toml=path), "me") == ["x"]
    with pytest.raises(ConfigError, match=r"nowhere.toml: cannot be read: No such file"):
        places(toml="nowhere.toml").content("me", Watch())


def test_a_setting_is_defined_in_one_carrier(tmp_path, places):
    toml = lay(tmp_path, f"explicit/{TOML}", '[settings]\nme = "x"\n[[plugin]]\nname = "a"')
    for name, line in (("me", 2), ("plugins", 3)):
        control = lay(tmp_path, f"program/config/{name}")
        with pytest.raises(ConfigError) as caught:
            places().content(name, Watch())
        message = f"{control}: {name} is set here and in {toml}:{line}; take one of them out"
        assert str(caught.value) == message


def test_qmails_files_may_stay(tmp_path, places):
    lay(tmp_path, "qmail/control/me", "other")
    lay(tmp_path, "qmail/control/morercpthosts.cdb", "other")
    toml = '[settings]\nme = "x"\nmorercpthosts = {"a.example" = ""}\n'
    lay(tmp_path, f"explicit/{TOML}", toml)
    assert texts(places(), "me") == ["x"]
    assert places().database("morercpthosts", Watch()) == (None, [])


def test_a_database_and_toml_are_two_carriers(tmp_path, places):
    lay(tmp_path, "explicit/morercpthosts.cdb")
    lay(tmp_path, f"explicit/{TOML}", '[settings]\nmorercpthosts = {"a.example" = ""}\n')
    with pytest.raises(ConfigError, match=r"morercpthosts.cdb: morercpthosts is set here and in"):
        places().database("morercpthosts", Watch())


def test_broken_toml_stops_every_look_up(tmp_path, places):
    path = lay(tmp_path, f"explicit/{TOML}", "[settings")
    carriers = places()
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"^{path}:1: is no TOML"):
            carriers.content("me", Watch())
    assert [problem.file for problem in carriers.problems] == [path]


def test_toml_that_was_not_read_does_not_change(tmp_path, places):
    carriers = places()
    assert carriers.refresh() is None
    assert carriers.problems == []
    assert carriers.watched == set()


def test_toml_that_changes_names_what_may_have_changed(tmp_path, places):
    carriers = places()
    assert texts(carriers, "me") == []
    assert carriers.refresh() is None
    path = lay(tmp_path, f"explicit/{TOML}", '[settings]\nme = "x"')
    assert carriers.refresh() == {"me"}
    assert carriers.refresh() is None
    assert path in carriers.watched
    lay(tmp_path, f"explicit/{TOML}", '[settings]\nrcpthosts = "x"')
    assert carriers.refresh() == {"me", "rcpthosts"}
    Path(path).unlink()
    assert carriers.refresh() == {"rcpthosts"}
    assert texts(carriers, "rcpthosts") == []


@pytest.mark.parametrize("content", ["[settings", '[settings]\nme = "y"\nmee = "z"'])
def test_toml_with_a_mistake_is_not_taken_while_there_is_an_older_one(tmp_path, places, content):
    lay(tmp_path, f"explicit/{TOML}", '[settings]\nme = "x"')
    carriers = places()
    assert texts(carriers, "me") == ["x"]
    lay(tmp_path, f"explicit/{TOML}", content)
    assert carriers.refresh() == {"me"}
    assert texts(carriers, "me") == ["x"]
    assert len(carriers.problems) == 1
    lay(tmp_path, f"explicit/{TOML}", '[settings]\nme = "repaired"')
    assert carriers.refresh() == {"me"}
    assert texts(carriers, "me") == ["repaired"]
    assert carriers.problems == []


def test_toml_that_was_never_right_is_taken_when_it_is(tmp_path, places):
    lay(tmp_path, f"explicit/{TOML}", "[settings")
    carriers = places()
    with pytest.raises(ConfigError):
        carriers.content("me", Watch())
    lay(tmp_path, f"explicit/{TOML}", "[settings]]")
    assert carriers.refresh() == set()
    with pytest.raises(ConfigError):
        carriers.content("me", Watch())
    lay(tmp_path, f"explicit/{TOML}", '[settings]\nme = "x"')
    assert carriers.refresh() == {"me"}
    assert texts(carriers, "me") == ["x"]
