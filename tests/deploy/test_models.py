import inspect

import pytest

from qpsmtpd.deploy.models import MODELS, Serve, find, load
from qpsmtpd.deploy.options import Options
from qpsmtpd.errors import ConfigError


@pytest.mark.parametrize("name", MODELS)
def test_every_row_names_something_that_serves(name):
    wanted = list(inspect.signature(Serve.__call__).parameters)[1:]
    assert list(inspect.signature(load(find(name).serve)).parameters) == wanted


def test_an_unknown_model():
    with pytest.raises(ConfigError, match="unknown model fnord; there are: async"):
        find("fnord")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nosuchmodule.here:x", "there is no module nosuchmodule.here"),
        ("qpsmtpd.deploy.exits:fnord", "module qpsmtpd.deploy.exits has no fnord"),
    ],
)
def test_a_target_that_is_not_there(target, message):
    with pytest.raises(ConfigError, match=message):
        load(target)


def test_a_target_that_imports_what_is_missing_shows_that(tmp_path, monkeypatch):
    (tmp_path / "halfway.py").write_text("import nosuchmodule")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="nosuchmodule"):
        load("halfway:x")


def test_options_of_another_release_are_read():
    options = Options(listen=("[::]:25",), workers=3)
    assert Options.decode(options.encode()) == options._replace(engine_options={})
    assert Options.decode({"workers": 2, "fnord": 1}).workers == 2


def test_workers_by_processor():
    assert Options(workers=0).worker_count >= 1
    assert Options(workers=40).worker_limit == 80
