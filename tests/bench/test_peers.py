"""bench.peers: our server from its sources and compiled, which differ in the program only."""

import os
import pwd
import shutil

import pytest
from bench.server import Place

from bench import peers


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Prepare a peer, each in the same place; returns its command line and its configuration."""
    monkeypatch.setattr(peers, "_account", lambda program: pwd.getpwuid(os.geteuid()).pw_name)

    def prepare(name):
        place = tmp_path / "place"
        place.mkdir()
        argv = peers.PEERS[name].prepare(Place(place, 2525)).argv
        files = {path.name: path.read_text() for path in place.iterdir() if path.is_file()}
        shutil.rmtree(place)
        return argv, files

    return prepare


def test_compiled_or_not_is_the_only_difference(prepare):
    (ours, files), (compiled, others) = prepare("ours"), prepare("compiled")
    assert compiled[0].endswith("/build/compiled/bin/qpsmtpd")
    assert ours[0] != compiled[0]
    assert ours[1:] == compiled[1:]
    assert "plugins" in files
    assert files == others


def test_it_is_said_how_to_get_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "_COMPILED", tmp_path / "compiled")
    for name, remedy in (("compiled", "make compiled"), ("other", "bench/install.sh")):
        peer = peers.PEERS["compiled"]._replace(needs=(tmp_path / name,))
        assert peers.missing(peer).endswith(f"/{name} is missing: run {remedy}")
