import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qpsmtpd.config.schema import SETTINGS
from qpsmtpd.constants import DECLINED, OK
from qpsmtpd.errors import ConfigError
from qpsmtpd.plugins.http_config import _KNOWN, _NEVER


class Site:
    """A web server with pages that tests may change."""

    def __init__(self):
        self.pages = {}
        self.status = {}
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.hold.wait(10)
                site.asked.append(self.path)
                code = site.status.get(self.path, 200 if self.path in site.pages else 404)
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", site.pages[self.path])
                self.end_headers()
                if code == 200:
                    self.wfile.write(site.pages[self.path])

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    yield site
    site.close()


def settled(plugin):
    """Wait until no round of fetching is under way."""
    assert plugin.pages.busy.acquire(timeout=10)
    plugin.pages.busy.release()


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def test_settings_that_are_known_are_there_from_the_start(load, site):
    site.pages["/mx/rcpthosts"] = b"# ours\n example.org \r\n\n.example.net\n"
    plugin = load(f"http_config {site.url}/mx/")
    assert plugin.hook_config("rcpthosts") == (OK, "example.org", ".example.net")
    assert plugin.hook_config("relayclients") is DECLINED
    assert "/mx/badhelo" in site.asked


def test_what_it_asks_for_at_the_start_are_settings():
    assert set(_KNOWN.split()) - set(SETTINGS) == set()
    assert _NEVER & set(_KNOWN.split()) == set()


def test_the_first_server_with_content_wins(load, site):
    site.pages["/b/rcpthosts"] = b"b"
    site.pages["/a/me"] = b"# nothing\n"
    site.pages["/b/me"] = b"from.b"
    site.pages["/a/badhelo"] = b"from.a"
    site.pages["/b/badhelo"] = b"from.b"
    line = f"http_config {site.url}/a/ {site.url}/b/ fetch rcpthosts fetch me fetch badhelo"
    plugin = load(line)
    assert plugin.hook_config("rcpthosts") == (OK, "b")
    assert plugin.hook_config("me") == (OK, "from.b")
    assert plugin.hook_config("badhelo") == (OK, "from.a")
    assert "/b/badhelo" not in site.asked


def test_what_loading_needs_is_never_asked_for(load, site):
    site.pages["/plugins"] = b"evil"
    plugin = load(f"http_config {site.url}/ fetch me")
    assert plugin.hook_config("plugins") is DECLINED
    settled(plugin)
    assert site.asked == ["/me"]


def test_an_unknown_setting_is_fetched_after_it_was_asked_for(load, site):
    site.pages["/my%2Fown%20file"] = b"value"
    plugin = load(f"http_config {site.url}/ fetch me")
    assert plugin.hook_config("my/own file") is DECLINED
    wait_for(lambda: plugin.hook_config("my/own file") == (OK, "value"))
    settled(plugin)


def test_answers_are_used_for_a_while_and_then_renewed_behind_the_scenes(load, site, clock):
    site.pages["/me"] = b"old"
    plugin = load(f"http_config {site.url}/ fetch me refresh 60")
    site.pages["/me"] = b"new"
    clock.advance(59)
    assert plugin.hook_config("me") == (OK, "old")
    settled(plugin)
    assert site.asked == ["/me"]
    site.hold.clear()
    clock.advance(1)
    assert plugin.hook_config("me") == (OK, "old")
    assert plugin.hook_config("me") == (OK, "old")
    site.hold.set()
    wait_for(lambda: plugin.hook_config("me") == (OK, "new"))
    settled(plugin)
    assert site.asked == ["/me", "/me"]


@pytest.mark.parametrize("trouble", ["error", "too long", "nobody there"])
def test_what_was_good_stays_when_a_server_fails(load, site, clock, log, trouble):
    site.pages["/me"] = b"good"
    plugin = load(f"http_config {site.url}/ fetch me fetch badhelo")
    if trouble == "error":
        site.status["/me"] = 500
    elif trouble == "too long":
        site.pages["/me"] = b"x" * (1024 * 1024 + 1)
    else:
        plugin.args.urls[:] = ["http://127.0.0.1:1/"]
    plugin.fetch_all()
    assert plugin.hook_config("me") == (OK, "good")
    assert len(log.texts(3)) == 1


def test_what_is_gone_is_gone(load, site):
    site.pages["/me"] = b"good"
    plugin = load(f"http_config {site.url}/ fetch me")
    del site.pages["/me"]
    plugin.fetch_all()
    assert plugin.hook_config("me") is DECLINED


def test_a_server_that_is_down_at_the_start_costs_one_attempt(load, log):
    plugin = load("http_config http://127.0.0.1:1/")
    assert plugin.hook_config("rcpthosts") is DECLINED
    assert len(log.texts(3)) == 1


def test_a_redirection_leads_to_web_pages_only(load, site, tmp_path, log):
    (tmp_path / "secret").write_text("secret")
    site.status["/me"] = 302
    site.pages["/me"] = f"file://{tmp_path}/secret"
    plugin = load(f"http_config {site.url}/ fetch me")
    assert plugin.hook_config("me") is DECLINED
    assert len(log.texts(3)) == 1


@pytest.mark.parametrize("words", ["", "ftp://example.org/", "config.example.org"])
def test_a_wrong_line_is_refused(load, words):
    with pytest.raises(ConfigError):
        load(f"http_config {words}")
