"""http_config - fetch settings from web servers

DESCRIPTION

Answers look-ups of settings with what is found at a URL: the argument, with the name of the
setting behind it. Of several arguments the first with content wins.

    http_config https://config.example.org/mx/ https://backup.example.org/mx/

The content has the form of a control file: one value on each line; blank lines and lines that
begin with `#` are left out.

A look-up is answered from memory and never waits. Settings named by `fetch` are there from the
start; without `fetch`, all that qpsmtpd and its plugins know by name are asked for when the plugin
is loaded. Any other setting is fetched after it was asked for once. After `refresh` all are
fetched again, in the background, at the first look-up after that time.

When a server does not answer, or answers with an error other than 404 and 410, what it said last
stays in use, and the log says so. Content of more than 1 MiB is not taken. What is needed to load
plugins (`plugins`, `plugin_dirs`, `logging`, `loglevel`) has to be in files.

RESULTS

config: `(OK, value, …)` for a setting that was found, DECLINED otherwise.
"""

import threading

from qpsmtpd.plugin import DECLINED, LOGERROR, OK, Duration, Plugin, Result

_MOST = 1024 * 1024
_ABSENT = frozenset({404, 410})
_NEVER = frozenset({"plugins", "plugin_dirs", "logging", "loglevel"})
#: names that are remembered for fetching, at most: names come from plugins, hence from code
_NAMES = 1000

#: settings of qpsmtpd and of its plugins that a server may have something to say about
_KNOWN = """
    me me-auth-results smtpgreeting databytes timeout timeoutsmtpd size_threshold spool_dir
    spool_perms tls_before_auth rcpthosts morercpthosts relayclients norelayclients
    morerelayclients hosts_allow badhelo badmailfrom badmailfromto badrcptto cleanup_sockets
    content_log_enabled content_log_file denysoft_greylist dnsbl_allow dnsbl_zones dnsbl_rejectmsg
    flat_auth_pw greylist_exclude_files invalid_resolvable_fromhost karma_tlds ldap
    p0f_blocked_operating_systems rcpt_regexp rhsbl_zones smtpauth-checkpassword spfbehavior
    subject_prefix tls_ciphers tls_protocols uribl_zones uribl_whitelist_domains whitelist_zones
    whitelisthosts whitelisthelo whitelistsenders whitelistrcpt
"""

_Values = tuple[str, ...]


class _Pages:
    """What the servers said, shared by the threads of a process."""

    __slots__ = ("busy", "due", "found", "names")

    def __init__(self, names: list[str]) -> None:
        self.names = dict.fromkeys(names)  #: to be fetched, in order
        self.found: dict[str, _Values] = {}
        self.due = 0.0  #: monotonic seconds of the next round
        self.busy = threading.Lock()  #: held while a round is under way


class HttpConfig(Plugin):
    """Answers look-ups from web servers."""

    args: "HttpConfig.Args"

    class Args:
        positional = ("urls",)
        urls: list[str] = []  # noqa: RUF012 - a default, never changed
        #: beginnings of URLs; the name of the setting is put behind

        refresh: Duration = Duration("1m")  #: how long an answer is used
        timeout: Duration = Duration("5s")  #: how long a server may take for one setting
        fetch: list[str] = []  # noqa: RUF012 - a default, never changed
        #: a setting to have from the start; may be given more than once

        def check(self) -> None:
            """Look at the URLs."""
            if not self.urls:
                raise ValueError("http_config needs a URL, as http://config.example.org/mx/")
            for url in self.urls:
                if not url.startswith(("http://", "https://")):
                    raise ValueError(f"{url!r} does not begin with http:// or https://")

    def register(self) -> None:
        """Fetch for the first time."""
        import urllib.request  # noqa: PLC0415 - kept off the start path

        # Not the ready-made opener: it would follow a redirection to ftp.
        self.opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler,
            urllib.request.HTTPHandler,
            urllib.request.HTTPSHandler,
            urllib.request.HTTPDefaultErrorHandler,
            urllib.request.HTTPRedirectHandler,
            urllib.request.HTTPErrorProcessor,
        ):
            self.opener.add_handler(handler())
        self.pages = _Pages(self.args.fetch or _KNOWN.split())
        self.fetch_all()

    def hook_config(self, name: str) -> Result | tuple[object, ...]:
        """Answer from memory."""
        pages = self.pages
        if name in _NEVER:
            return DECLINED
        if name not in pages.names and len(pages.names) < _NAMES:
            pages.names[name] = None
            pages.due = 0.0
        if self.clock.monotonic() >= pages.due and pages.busy.acquire(blocking=False):
            thread = threading.Thread(target=self.refresh, name="http_config", daemon=True)
            thread.start()
        values = pages.found.get(name)
        return DECLINED if values is None else (OK, *values)

    def refresh(self) -> None:
        """Fetch again; runs on a thread that holds ``busy``."""
        try:
            self.fetch_all()
        finally:
            self.pages.busy.release()

    def fetch_all(self) -> None:
        """Ask for every setting."""
        self.pages.due = self.clock.monotonic() + self.args.refresh
        silent: set[str] = set()  # servers that were not there are not asked again this time
        for name in list(self.pages.names):
            self.fetch(name, silent)

    def fetch(self, name: str, silent: set[str]) -> None:
        """Ask the servers in turn for one setting."""
        certain = True
        for url in self.args.urls:
            if url in silent:
                certain = False
                continue
            try:
                values = self.page(url, name)
            except OSError as error:
                self.log(LOGERROR, f"error, {url}{name}: {error}")
                silent.add(url)
                certain = False
                continue
            if values:
                self.pages.found[name] = values
                return
        if certain:
            self.pages.found.pop(name, None)

    def page(self, url: str, name: str) -> _Values:
        """Fetch one setting from one server.

        Returns:
            Its values; none when the server has no such page.

        Raises:
            OSError: there was no answer of use.
        """
        import http.client  # noqa: PLC0415 - kept off the start path
        from urllib.error import HTTPError  # noqa: PLC0415 - kept off the start path
        from urllib.parse import quote  # noqa: PLC0415 - kept off the start path

        deadline = self.clock.monotonic() + self.args.timeout
        content = bytearray()
        try:
            with self.opener.open(url + quote(name, safe=""), timeout=self.args.timeout) as answer:
                while block := answer.read1(65536):
                    content += block
                    if len(content) > _MOST:
                        raise OSError("more than 1 MiB")
                    if self.clock.monotonic() > deadline:
                        raise TimeoutError("the answer takes too long")
        except HTTPError as error:
            error.close()
            if error.code in _ABSENT:
                return ()
            raise
        except http.client.HTTPException as error:
            raise OSError(f"no proper answer: {error!r}") from error
        lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))
