import time

import pytest

from qpsmtpd.message import Header, trace


def test_results_of_nobody():
    assert trace.authentication_results("mx.example.org") == "mx.example.org; auth=none"
    assert trace.authentication_results("", ["spf=pass"]) == ""
    assert trace.authentication_results("None", ["spf=pass"]) == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"authenticated": True, "mechanism": "plain", "user": "good@example.com"},
            "auth=pass (plain) smtp.auth=good@example.com",
        ),
        (
            {"authenticated": True, "mechanism": "x)\r\n", "user": 'a b"\\;\n'},
            'auth=pass (x\\)??) smtp.auth="a b\\"\\\\;?"',
        ),
        ({"authenticated": True}, 'auth=pass () smtp.auth=""'),
        ({"authenticated": False, "user": "x"}, "auth=fail"),
    ],
)
def test_results_of_auth(arguments, text):
    assert trace.authentication_results("mx", **arguments) == f"mx; {text}"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("spf=pass smtp.mailfrom=a.b", "spf=pass smtp.mailfrom=a.b"),
        ("spf=fail (no (really) idea)", "spf=fail ?no ?really? idea?"),
        ("spf=fail (no idea)", "spf=fail (no idea)"),
        (
            'dkim=fail reason="bad \\" (sig" header.d=a.b',
            'dkim=fail reason="bad \\" (sig" header.d=a.b',
        ),
        ("spf=fail (open", "spf=fail ?open"),
        ('spf=fail "open', "spf=fail ?open"),
        ("spf=fail closed)", "spf=fail closed?"),
        ("spf=fail \\", "spf=fail ?"),
        ("  spf=pass\r\n x=é ; ", "spf=pass x=?"),
        ("spf=pass; dkim=none", "spf=pass; dkim=none"),
        (";", ""),
        ("", ""),
    ],
)
def test_results_of_plugins_are_cleaned(result, text):
    wanted = f"mx; auth=none; {text}" if text else "mx; auth=none"
    assert trace.authentication_results("mx", [result]).replace("\n", "") == wanted


def test_results_joined_by_a_plugin_are_parted():
    joined = 'spf=fail (a; b) reason="c; d";; dkim=pass ; ;dmarc=none'
    parts = ['spf=fail (a; b) reason="c; d"', "dkim=pass", "dmarc=none"]
    wanted = trace.authentication_results("mx", parts)
    assert trace.authentication_results("mx", joined) == wanted
    assert trace.authentication_results("mx", [joined]) == wanted
    assert trace.authentication_results("mx", "spf=fail (a; dkim=pass; b") == (
        "mx; auth=none; spf=fail ?a; dkim=pass; b"
    )
    assert trace.authentication_results("mx", "") == "mx; auth=none"


@pytest.mark.parametrize(
    "text", ["a" * 900 + "(", '"' + "a" * 900, "(" + "a\\b" * 200, "\\" * 899]
)
def test_cleaning_takes_time_by_length_only(text):
    begin = time.process_time()
    trace.authentication_results("mx", [text] * 50)
    assert time.process_time() - begin < 2  # trying every way to read it would take for ever


def test_results_are_folded_and_bounded():
    results = [
        f"dkim=pass header.d={number}.example.org header.b=abcdefgh" for number in range(500)
    ]
    text = trace.authentication_results("mx.example.org", [*results, "x" * 5000])
    lines = text.split("\n")
    assert len(lines[0]) + len("Authentication-Results: ") <= 78
    assert max(map(len, lines)) <= 78
    assert text.count("dkim=") == 99
    long = trace.authentication_results("mx", ["x=" + "y" * 5000])
    assert max(map(len, long.split("\n"))) <= 901  # and the blank in front


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b", "a.b"),
        ("a@b.c", "a@b.c"),
        ("a/b", '"a/b"'),
        ("", '""'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("é\n", '"??"'),
    ],
)
def test_property_value(text, value):
    assert trace.property_value(text) == value


# ----------------------------------------------------------------------- results others wrote

RESULTS = b"Authentication-Results: other.example; spf=pass\n"
OURS = b"authentication-results: mx.example.org; dkim=pass\n"
OLD = b"Original-Authentication-Results: other.example; spf=pass\n"
OLD_OURS = b"Original-Authentication-Results: mx.example.org; dkim=pass\n"


def hidden(content, authserv_id="mx.example.org"):
    """Hide results; return how many and the header."""
    header = Header(content)
    count = trace.hide_authentication_results(header, authserv_id)
    return count, header.to_bytes()


def test_results_of_others_are_renamed():
    assert hidden(b"A: b\n" + RESULTS + OURS + RESULTS) == (
        3,
        b"A: b\n" + OLD + OLD_OURS + OLD,
    )


def test_a_header_without_results_is_not_cut():
    header = Header(b"X: Authentication-Results:\n")
    assert trace.hide_authentication_results(header, "mx") == 0
    assert header._raws is None
    assert not header.edited
    assert hidden(b"Authentication-Results-X: y\n")[0] == 0


@pytest.mark.parametrize(
    "signature",
    [
        b"DKIM-Signature: v=1; h=From:Authentication-Results:To; b=x\n",
        b"dkim-signature: h = from :\n\tauthentication-RESULTS\n ; b=x\n",
        b"DKIM-Signature: h=From\nDKIM-Signature: b=; h=Authentication-Results\n",
        b"DKIM-Signature: h=From; H=Authentication-Results\n",
    ],
)
def test_results_that_a_signature_covers_stay(signature):
    assert hidden(signature + RESULTS) == (0, signature + RESULTS)
    assert hidden(signature + RESULTS + OURS + RESULTS) == (
        1,
        signature + RESULTS + OLD_OURS + RESULTS,
    )


@pytest.mark.parametrize(
    "signature",
    [
        b"DKIM-Signature: v=1; h=From; b=Authentication-Results\n",
        b"DKIM-Signature: hh=Authentication-Results\n",
        b"DKIM-Signature: h=X-Authentication-Results\n",
        b"X-DKIM-Signature: h=Authentication-Results\n",
        b"",
    ],
)
def test_results_that_no_signature_covers_do_not_stay(signature):
    assert hidden(signature + RESULTS) == (1, signature + OLD)


@pytest.mark.parametrize(
    ("value", "forged"),
    [
        (b"mx.example.org; spf=pass", True),
        (b"MX.Example.ORG 1; spf=pass", True),
        (b"(a (nested \\) one)) mx.example.org; spf=pass", True),
        (b'"mx.example.org"; spf=pass', True),
        (b'"mx\\.example.org"; spf=pass', True),
        (b"mx(comment).example.org; spf=pass", True),
        (b"\n mx.example.org\n ;none", True),
        (b"(open mx.other.org; spf=pass", True),
        (b"", True),
        (b"; spf=pass", True),
        (b"mx.example.org", True),
        (b") other.org; spf=pass", False),
        (b"mx.example.org.other.org; spf=pass", False),
        (b"other.org (mx.example.org); spf=pass", False),
        (b"other.org; mx.example.org", False),
        (b"other.org\\", False),
    ],
)
def test_forged_results_never_stay(value, forged):
    signature = b"DKIM-Signature: h=Authentication-Results\n"
    assert hidden(signature + b"Authentication-Results: " + value + b"\n")[0] == forged


def test_hiding_takes_time_by_length_only():
    begin = time.process_time()
    signature = b"DKIM-Signature: h=" + b"a:" * 50_000 + b"Authentication-Results\n"
    content = signature + RESULTS * 5000 + b"Authentication-Results: " + b"(" * 200_000 + b"\n"
    assert hidden(content)[0] == 1
    assert time.process_time() - begin < 3  # quadratic work would take minutes
