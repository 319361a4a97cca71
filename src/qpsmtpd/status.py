"""Refusals with enhanced status codes, under the names of qpsmtpd's DSN module (RFC 3463).

``status.relaying_denied()`` is ``(DENY, "Relaying denied (#5.7.1)")``: what a handler returns.
Each function takes a text in place of its default and a result in place of its usual one. The
class of the code follows from the result: 5 for DENY, 4 for DENYSOFT, 2 for OK and DONE.
"""

from typing import Final, NamedTuple, Protocol

from qpsmtpd.constants import (
    DECLINED,
    DENY,
    DENY_DISCONNECT,
    DENYSOFT,
    DENYSOFT_DISCONNECT,
    DONE,
    OK,
    Result,
)

__all__ = [
    "STATUSES",
    "Status",
    "addr_bad_dest_mbox",
    "addr_bad_dest_syntax",
    "addr_bad_dest_system",
    "addr_bad_from_syntax",
    "addr_bad_from_system",
    "addr_dest_ambigous",
    "addr_mbox_moved",
    "addr_rcpt_ok",
    "addr_unspecified",
    "bad_sender_ip",
    "mbox_disabled",
    "mbox_full",
    "mbox_list_expansion_problem",
    "mbox_msg_too_long",
    "mbox_unspecified",
    "media_conv_lossy",
    "media_conv_prohibited",
    "media_conv_unsupported",
    "media_unspecified",
    "media_unsupported",
    "net_directory_server_failed",
    "net_routing_loop",
    "net_system_congested",
    "net_unspecified",
    "no_such_user",
    "proto_invalid_cmd_args",
    "proto_invalid_command",
    "proto_rcpt_list_too_long",
    "proto_syntax_error",
    "proto_unspecified",
    "proto_wrong_version",
    "relaying_denied",
    "sec_conv_failed",
    "sec_crypto_algorithm_unsupported",
    "sec_crypto_failure",
    "sec_feature_unsupported",
    "sec_list_dest_prohibited",
    "sec_msg_integrity_failure",
    "sec_sender_unauthorized",
    "sec_unspecified",
    "sys_disk_full",
    "sys_msg_too_big",
    "sys_not_accepting_mail",
    "sys_not_supported",
    "sys_unspecified",
    "temp_resolver_failed",
    "too_many_hops",
    "too_many_rcpts",
    "unspecified",
]


class Status(NamedTuple):
    """One row: a function and what it says."""

    detail: str  #: subject and detail of the code, RFC 3463 §2
    result: Result  #: unless the caller has another
    text: str  #: unless the caller has another


#: by name of the function
STATUSES: Final[dict[str, Status]] = {
    "unspecified": Status("0.0", DENYSOFT, "Other or Undefined Status"),
    "addr_unspecified": Status("1.0", DENYSOFT, "Other address status."),
    "no_such_user": Status("1.1", DENY, "No such user"),
    "addr_bad_dest_mbox": Status("1.1", DENY, "Bad destination mailbox address."),
    "addr_bad_dest_system": Status("1.2", DENY, "Bad destination system address."),
    "addr_bad_dest_syntax": Status("1.3", DENY, "Bad destination mailbox address syntax."),
    "addr_dest_ambigous": Status("1.4", DENYSOFT, "Destination mailbox address ambiguous."),
    "addr_rcpt_ok": Status("1.5", OK, "Destination address valid."),
    "addr_mbox_moved": Status(
        "1.6", DENY, "Destination mailbox has moved, No forwarding address."
    ),
    "addr_bad_from_syntax": Status("1.7", DENY, "Bad sender's mailbox address syntax."),
    "addr_bad_from_system": Status("1.8", DENY, "Bad sender's system address."),
    "mbox_unspecified": Status("2.0", DENYSOFT, "Other or undefined mailbox status."),
    "mbox_disabled": Status("2.1", DENY, "Mailbox disabled, not accepting messages."),
    "mbox_full": Status("2.2", DENYSOFT, "Mailbox full."),
    "mbox_msg_too_long": Status("2.3", DENY, "Message length exceeds administrative limit."),
    "mbox_list_expansion_problem": Status("2.4", DENYSOFT, "Mailing list expansion problem."),
    "sys_unspecified": Status("3.0", DENYSOFT, "Other or undefined mail system status."),
    "sys_disk_full": Status("3.1", DENYSOFT, "Mail system full."),
    "sys_not_accepting_mail": Status("3.2", DENYSOFT, "System not accepting network messages."),
    "sys_not_supported": Status("3.3", DENYSOFT, "System not capable of selected features."),
    "sys_msg_too_big": Status("3.4", DENY, "Message too big for system."),
    "net_unspecified": Status("4.0", DENYSOFT, "Other or undefined network or routing status."),
    "temp_resolver_failed": Status("4.3", DENYSOFT, "Temporary address resolution failure"),
    "net_directory_server_failed": Status("4.3", DENYSOFT, "Directory server failure."),
    "net_system_congested": Status("4.5", DENYSOFT, "Mail system congestion."),
    "net_routing_loop": Status("4.6", DENY, "Routing loop detected."),
    "too_many_hops": Status("4.6", DENY, "Too many hops"),
    "proto_unspecified": Status("5.0", DENYSOFT, "Other or undefined protocol status."),
    "proto_invalid_command": Status("5.1", DENY, "Invalid command."),
    "proto_syntax_error": Status("5.2", DENY, "Syntax error."),
    "proto_rcpt_list_too_long": Status("5.3", DENYSOFT, "Too many recipients."),
    "too_many_rcpts": Status("5.3", DENYSOFT, "Too many recipients."),
    "proto_invalid_cmd_args": Status("5.4", DENY, "Invalid command arguments."),
    "proto_wrong_version": Status("5.5", DENYSOFT, "Wrong protocol version."),
    "media_unspecified": Status("6.0", DENYSOFT, "Other or undefined media error."),
    "media_unsupported": Status("6.1", DENY, "Media not supported."),
    "media_conv_prohibited": Status("6.2", DENY, "Conversion required and prohibited."),
    "media_conv_unsupported": Status("6.3", DENYSOFT, "Conversion required but not supported."),
    "media_conv_lossy": Status("6.4", DENYSOFT, "Conversion with loss performed."),
    "sec_unspecified": Status("7.0", DENYSOFT, "Other or undefined security status."),
    "sec_sender_unauthorized": Status("7.1", DENY, "Delivery not authorized, message refused."),
    "bad_sender_ip": Status("7.1", DENY, "Bad sender's IP"),
    "relaying_denied": Status("7.1", DENY, "Relaying denied"),
    "sec_list_dest_prohibited": Status("7.2", DENY, "Mailing list expansion prohibited."),
    "sec_conv_failed": Status("7.3", DENY, "Security conversion required but not possible."),
    "sec_feature_unsupported": Status("7.4", DENY, "Security features not supported."),
    "sec_crypto_failure": Status("7.5", DENY, "Cryptographic failure."),
    "sec_crypto_algorithm_unsupported": Status(
        "7.6", DENYSOFT, "Cryptographic algorithm not supported."
    ),
    "sec_msg_integrity_failure": Status("7.7", DENY, "Message integrity failure."),
}

_CLASSES: Final = {
    OK: "2",
    DONE: "2",
    DENY: "5",
    DENY_DISCONNECT: "5",
    DENYSOFT: "4",
    DENYSOFT_DISCONNECT: "4",
    DECLINED: "4",
}


class Function(Protocol):
    """Every function here."""

    def __call__(
        self, text: str | None = None, result: Result | None = None
    ) -> tuple[Result, str]:
        """Return what a handler returns.

        Args:
            text: for the client; None or "" for the default.
            result: how to answer; None for the usual one.
        """
        ...


def _function(name: str) -> Function:
    """Make the function of one row."""
    detail, usual, default = STATUSES[name]

    def status(text: str | None = None, result: Result | None = None) -> tuple[Result, str]:
        found = usual if result is None else result
        return found, f"{text or default} (#{_CLASSES[found]}.{detail})"

    status.__name__ = status.__qualname__ = name
    status.__doc__ = f"{default.rstrip('.')}: x.{detail}, {usual.name}."
    return status


unspecified: Final = _function("unspecified")
addr_unspecified: Final = _function("addr_unspecified")
no_such_user: Final = _function("no_such_user")
addr_bad_dest_mbox: Final = _function("addr_bad_dest_mbox")
addr_bad_dest_system: Final = _function("addr_bad_dest_system")
addr_bad_dest_syntax: Final = _function("addr_bad_dest_syntax")
addr_dest_ambigous: Final = _function("addr_dest_ambigous")
addr_rcpt_ok: Final = _function("addr_rcpt_ok")
addr_mbox_moved: Final = _function("addr_mbox_moved")
addr_bad_from_syntax: Final = _function("addr_bad_from_syntax")
addr_bad_from_system: Final = _function("addr_bad_from_system")
mbox_unspecified: Final = _function("mbox_unspecified")
mbox_disabled: Final = _function("mbox_disabled")
mbox_full: Final = _function("mbox_full")
mbox_msg_too_long: Final = _function("mbox_msg_too_long")
mbox_list_expansion_problem: Final = _function("mbox_list_expansion_problem")
sys_unspecified: Final = _function("sys_unspecified")
sys_disk_full: Final = _function("sys_disk_full")
sys_not_accepting_mail: Final = _function("sys_not_accepting_mail")
sys_not_supported: Final = _function("sys_not_supported")
sys_msg_too_big: Final = _function("sys_msg_too_big")
net_unspecified: Final = _function("net_unspecified")
temp_resolver_failed: Final = _function("temp_resolver_failed")
net_directory_server_failed: Final = _function("net_directory_server_failed")
net_system_congested: Final = _function("net_system_congested")
net_routing_loop: Final = _function("net_routing_loop")
too_many_hops: Final = _function("too_many_hops")
proto_unspecified: Final = _function("proto_unspecified")
proto_invalid_command: Final = _function("proto_invalid_command")
proto_syntax_error: Final = _function("proto_syntax_error")
proto_rcpt_list_too_long: Final = _function("proto_rcpt_list_too_long")
too_many_rcpts: Final = _function("too_many_rcpts")
proto_invalid_cmd_args: Final = _function("proto_invalid_cmd_args")
proto_wrong_version: Final = _function("proto_wrong_version")
media_unspecified: Final = _function("media_unspecified")
media_unsupported: Final = _function("media_unsupported")
media_conv_prohibited: Final = _function("media_conv_prohibited")
media_conv_unsupported: Final = _function("media_conv_unsupported")
media_conv_lossy: Final = _function("media_conv_lossy")
sec_unspecified: Final = _function("sec_unspecified")
sec_sender_unauthorized: Final = _function("sec_sender_unauthorized")
bad_sender_ip: Final = _function("bad_sender_ip")
relaying_denied: Final = _function("relaying_denied")
sec_list_dest_prohibited: Final = _function("sec_list_dest_prohibited")
sec_conv_failed: Final = _function("sec_conv_failed")
sec_feature_unsupported: Final = _function("sec_feature_unsupported")
sec_crypto_failure: Final = _function("sec_crypto_failure")
sec_crypto_algorithm_unsupported: Final = _function("sec_crypto_algorithm_unsupported")
sec_msg_integrity_failure: Final = _function("sec_msg_integrity_failure")
