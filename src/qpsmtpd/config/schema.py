"""The settings table: every setting of qpsmtpd, and every control file of a bundled plugin.

Rule: what is known about a setting is known here. The look-up, both carriers, the checks, the
starting configuration and the reference page read this table.

A default is text, as it would be written in a control file, and None where nothing is set.
"""

from collections.abc import Iterable
from typing import Final

from qpsmtpd.config.setting import Setting, Table, Type

__all__ = ["LISTENER_OPTIONS", "SETTINGS", "Setting", "Table", "Type", "nearest"]


#: words that may follow an address to listen on; True for those with a value, as ``mode=0660``
LISTENER_OPTIONS: Final[dict[str, bool]] = {
    "lmtp": False,
    "proxy": False,
    "v6only": False,
    "mode": True,
    "name": True,
}


def _loaded(name: str, kind: Type, default: str | None, summary: str) -> Setting:
    """Describe what is needed to load plugins."""
    return Setting(name, kind, default, summary, reload=True, early=True)


def _server(
    name: str,
    kind: Type,
    default: str | None,
    summary: str,
    *,
    choices: tuple[str, ...] = (),
    most: int | None = None,
) -> Setting:
    return Setting(
        name,
        kind,
        default,
        summary,
        reload=True,
        table=Table.SERVER,
        choices=choices,
        most=most,
        early=True,
    )


def _plugin(
    owner: str,
    name: str,
    summary: str,
    kind: Type = Type.LINES,
    default: str | None = None,
    *,
    secret: bool = False,
) -> Setting:
    return Setting(name, kind, default, summary, owner=owner, secret=secret)


_CORE: Final = (
    _loaded("plugins", Type.PLUGINS, None, "Plugins to load, in the order they are asked."),
    _loaded(
        "plugin_dirs",
        Type.LINES,
        None,
        "Directories searched for plugins, before the bundled ones.",
    ),
    _loaded("logging", Type.PLUGINS, None, "Logging plugins; without any, the log is stderr."),
    _loaded("loglevel", Type.LEVEL, "4", "Least urgent level of the log on stderr, 0 to 7."),
    Setting("me", Type.LINE, None, "Name of this host in replies and trace fields; its own name."),
    Setting(
        "me-auth-results",
        Type.LINE,
        None,
        "Name in Authentication-Results fields (RFC 8601), or `none` to add no such field; `me`.",
    ),
    Setting("smtpgreeting", Type.LINE, None, "Text of the greeting; hides the version in HELP."),
    Setting("databytes", Type.SIZE, "0", "Largest message taken, in octets; 0 for no limit."),
    Setting("timeout", Type.DURATION, "1200", "How long a client may be silent in a message."),
    Setting(
        "timeoutsmtpd",
        Type.DURATION,
        None,
        "How long a client may take for a command; `timeout` if not set.",
    ),
    Setting(
        "size_threshold",
        Type.SIZE,
        "256K",
        "Octets of a message that are kept in memory before it goes to a file.",
        reload=True,
    ),
    Setting(
        "spool_dir",
        Type.PATH,
        None,
        "Directory of messages too large for memory; the system's for temporary files.",
        reload=True,
    ),
    Setting("spool_perms", Type.MODE, "0700", "Permissions spool_dir is made with.", reload=True),
    Setting("IP", Type.LINE, None, "Address to listen on for run scripts of tcpserver."),
)

_SESSION: Final = (
    Setting(
        "bare_newline",
        Type.CHOICE,
        "reject",
        "What to do about CR or LF alone in a message; only CRLF.CRLF ends one in any case.",
        choices=("reject", "normalize", "accept"),
    ),
    Setting(
        "enhanced_status_codes",
        Type.FLAG,
        "1",
        "Whether replies carry enhanced status codes (RFC 2034).",
    ),
    Setting(
        "max_line",
        Type.NUMBER,
        "1000",
        "Octets in a command line (RFC 5321 §4.5.3.1.4).",
        least=512,
    ),
    Setting(
        "max_text_line",
        Type.NUMBER,
        "65536",
        "Octets in a line of a message; the RFC has 998, and 0 is no limit.",
    ),
    Setting("max_header", Type.SIZE, "256K", "Octets in a header section; 0 for no limit."),
    Setting(
        "max_header_fields", Type.NUMBER, "1000", "Fields in a header section; 0 for no limit."
    ),
    Setting("max_recipients", Type.NUMBER, "1000", "Recipients of a message; 0 for no limit."),
    Setting(
        "max_bad_recipients",
        Type.NUMBER,
        "100",
        "Refused recipients before a session ends; 0 for no limit.",
    ),
    Setting("max_errors", Type.NUMBER, "10", "Errors before a session ends; 0 for no limit."),
    Setting(
        "max_junk",
        Type.NUMBER,
        "100",
        "Commands that bring no mail nearer before a session ends; 0 for no limit.",
    ),
    Setting("max_messages", Type.NUMBER, "0", "Messages in one session; 0 for no limit."),
    # Every single wait has a limit of its own. This one is for clients that stretch each of them,
    # and so generous that a large message over a poor line is not cut off at every attempt.
    Setting("session_timeout", Type.DURATION, "6h", "Longest session; 0 for no limit."),
    Setting(
        "data_min_rate",
        Type.NUMBER,
        "100",
        "Octets a second below which a message is cut off; 0 for any rate.",
    ),
    Setting(
        "disable_extensions",
        Type.WORDS,
        None,
        "Keywords of EHLO that are not offered, as `CHUNKING`.",
        choices=(
            *("PIPELINING", "8BITMIME", "SIZE", "ENHANCEDSTATUSCODES", "SMTPUTF8"),
            *("CHUNKING", "BINARYMIME", "DSN", "LIMITS"),
        ),
    ),
    Setting(
        "proxy_from",
        Type.ADDRESSES,
        None,
        "Proxies whose PROXY header is believed; `unix` stands for Unix sockets.",
    ),
    Setting("xclient_from", Type.ADDRESSES, None, "Clients that may use XCLIENT."),
    Setting("xforward_from", Type.ADDRESSES, None, "Clients that may use XFORWARD."),
    Setting("reverse_lookup", Type.FLAG, "1", "Whether the name of each client is looked up."),
)

_SERVER: Final = (
    _server("model", Type.CHOICE, "async", "Deployment model to serve with.", choices=("async",)),
    _server(
        "listen",
        Type.LISTENERS,
        None,
        "Addresses to listen on, with options: `[::]:25 proxy`, `unix:/path lmtp`.",
    ),
    _server(
        "port",
        Type.NUMBER,
        None,
        "Port of addresses that name none; by model, 25 or 2525.",
        most=65535,
    ),
    _server("backlog", Type.NUMBER, "1024", "Connections the kernel holds until they are taken."),
    _server("workers", Type.NUMBER, "0", "Worker processes; 0 for one on each CPU."),
    _server("connections", Type.NUMBER, None, "Connections at a time; 0 for no limit; by model."),
    _server(
        "connections_per_ip",
        Type.NUMBER,
        None,
        "Connections at a time from one address; 0 for no limit; by model.",
    ),
    _server(
        "ipv6_prefix",
        Type.NUMBER,
        "64",
        "Bits of an IPv6 address that make one client where clients are counted.",
        most=128,
    ),
    _server(
        "graceful_timeout",
        Type.DURATION,
        "30",
        "How long sessions may go on after a stop was asked for.",
    ),
    _server("finish_timeout", Type.DURATION, "10", "How long a message in hand may take then."),
    _server("worker_timeout", Type.DURATION, "60", "Silence after which a worker is replaced."),
    _server("boot_timeout", Type.DURATION, "120", "How long loading plugins may take."),
    _server("user", Type.LINE, None, "User to become when started as root."),
    _server("group", Type.LINE, None, "Group to become; the user's own."),
    _server("pid_file", Type.PATH, None, "File for the process id of the daemon."),
    _server("dns_timeout", Type.DURATION, "5", "How long a DNS look-up may take."),
    _server("nameservers", Type.SERVERS, None, "DNS servers to ask; those of /etc/resolv.conf."),
    _server("state_file", Type.PATH, None, "SQLite file; needed by plugins that remember."),
    _server(
        "slow_hook", Type.DURATION, "50ms", "Time in one plain handler that is worth a warning."
    ),
    _server(
        "log_format",
        Type.CHOICE,
        "text",
        "Form of the log on stderr where no logging plugin writes it.",
        choices=("text", "json"),
    ),
)

_PLUGINS: Final = (
    _plugin("helo", "badhelo", "Hello names to refuse: name, regex, or `!regex`."),
    _plugin(
        "badmailfrom",
        "badmailfrom",
        "Senders to refuse: `user@host`, `@host` or regex, and a reason.",
    ),
    _plugin("badmailfrom", "badmailfrom_patterns", "Older file; part of badmailfrom now."),
    _plugin("badmailfromto", "badmailfromto", "Pairs of sender and recipient to refuse."),
    _plugin(
        "badrcptto",
        "badrcptto",
        "Recipients to refuse: `user@host`, `@host` or regex, and a reason.",
    ),
    _plugin("badrcptto", "badrcptto_patterns", "Older file; part of badrcptto now."),
    _plugin("queue/postfix-queue", "cleanup_sockets", "Sockets of Postfix cleanup servers."),
    _plugin("content_log", "content_log_enabled", "Whether messages are logged.", Type.FLAG, "1"),
    _plugin(
        "content_log",
        "content_log_file",
        "File for messages, with date and time after strftime.",
        Type.PATH,
        "mail/%Y%m%d",
    ),
    _plugin("greylisting", "denysoft_greylist", "Arguments of the plugin: `key value …`."),
    _plugin("greylisting", "greylist_exclude_files", "Files with addresses to leave alone."),
    _plugin("dnsbl", "dnsbl_allow", "Addresses that are not looked up."),
    _plugin("dnsbl", "dnsbl_zones", "Zones to ask: `zone`, or `zone:text`."),
    _plugin("dnsbl", "dnsbl_rejectmsg", "Text for refused clients.", Type.LINE),
    _plugin("auth/auth_flat_file", "flat_auth_pw", "Logins: `user@domain:password`.", secret=True),
    _plugin("virus/hbedv", "hbedv_deny", "Names of viruses to refuse, by regex."),
    _plugin("virus/kavscanner", "kav_deny", "Names of viruses to refuse, by regex."),
    _plugin("hosts_allow", "hosts_allow", "Clients to refuse or pass: `ip[/bits] RESULT text`."),
    _plugin(
        "resolvable_fromhost", "invalid_resolvable_fromhost", "Networks no mail server is in."
    ),
    _plugin("resolvable_fromhost", "resolvable_fromhost", "Older file; an argument now."),
    _plugin("resolvable_fromhost", "require_resolvable_fromhost", "Older file; an argument now."),
    _plugin("karma", "karma_tlds", "Karma of senders' domains: `tld:adjustment`."),
    _plugin("auth/auth_ldap_bind", "ldap", "The directory: `key value`.", secret=True),
    _plugin("log/log2sql", "log2sql", "The database: `dsn=`, `user=`, `pass=`.", secret=True),
    _plugin("rcpt_ok", "rcpthosts", "Domains to take mail for; `.domain` for those below it."),
    _plugin("rcpt_ok", "morercpthosts", "Map of further domains to take mail for.", Type.MAP),
    _plugin("relay", "relayclients", "Clients that may send anywhere: address or network."),
    _plugin("relay", "norelayclients", "Clients that may not, whatever else says so."),
    _plugin("relay", "morerelayclients", "Map of further relay clients.", Type.MAP),
    _plugin("ident/p0f", "p0f_blocked_operating_systems", "Systems to refuse: text or /regex/."),
    _plugin("ident/geoip", "add_geoip_headers", "Older file; an argument now."),
    _plugin("rcpt_regexp", "rcpt_regexp", "Recipients: `/regex/ RESULT text`."),
    _plugin("rhsbl", "rhsbl_zones", "Zones to ask about senders' domains: `zone [text]`."),
    _plugin(
        "auth/auth_checkpassword",
        "smtpauth-checkpassword",
        "Paths of checkpassword and of true.",
        Type.LINE,
    ),
    _plugin("sender_permitted_from", "spfbehavior", "How strict SPF is, 0 to 6.", Type.LINE),
    _plugin("spamassassin", "subject_prefix", "Put before the subject of spam.", Type.LINE),
    _plugin("tls", "tls_before_auth", "Whether AUTH has to wait for TLS.", Type.FLAG, "0"),
    _plugin("tls", "tls_ciphers", "Ciphers, as OpenSSL writes them.", Type.LINE),
    _plugin("tls", "tls_protocols", "Versions of TLS.", Type.LINE),
    _plugin("tls", "ssl", "Directory of certificate, key and authorities.", Type.FILES),
    _plugin("uribl", "uribl_zones", "Zones to ask about links: `zone [masks [action]]`."),
    _plugin("uribl", "uribl_whitelist_domains", "Domains that are not looked up."),
    _plugin("auth/auth_vpopmail_sql", "vpopmail_mysql_dsn", "The database.", Type.LINE),
    _plugin("auth/auth_vpopmail_sql", "vpopmail_mysql_user", "Its user.", Type.LINE),
    _plugin(
        "auth/auth_vpopmail_sql",
        "vpopmail_mysql_pass",
        "Its password.",
        Type.LINE,
        secret=True,
    ),
    _plugin("dns_whitelist_soft", "whitelist_zones", "Zones of clients to leave alone."),
    _plugin("whitelist", "whitelisthosts", "Clients to leave alone, by address."),
    _plugin("whitelist", "whitelisthelo", "Clients to leave alone, by hello name."),
    _plugin("whitelist", "whitelistsenders", "Senders to leave alone."),
    _plugin("whitelist", "whitelistrcpt", "Recipients to leave alone."),
    _plugin("dkim", "dkim", "Directory of keys: `<domain>/selector`, `private`.", Type.FILES),
    _plugin("dmarc", "mail-dmarc.ini", "Settings of the DMARC reporter.", Type.FILES),
    _plugin("dmarc", "public_suffix_list", "The public suffix list.", Type.FILES),
)

SETTINGS: Final[dict[str, Setting]] = {
    setting.name: setting for setting in (*_CORE, *_SESSION, *_SERVER, *_PLUGINS)
}


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which of *names* somebody may have meant: " (did you mean …?)", or ""."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where something is wrong

    found = get_close_matches(name, list(names), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
