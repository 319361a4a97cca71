import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.message import Header, trace

NOON = 1_700_000_000
RESULTS = b"Authentication-Results: other.example; spf=pass\n"
OLD = b"Original-Authentication-Results: other.example; spf=pass\n"


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """Set the local time zone: ``zone("Asia/Kolkata")``; UTC unless somebody does."""

    def zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()
        trace._date.cache_clear()

    zone("UTC")
    yield zone
    monkeypatch.undo()
    time.tzset()
    trace._date.cache_clear()


def received(**changes):
    """Write a Received value for an ordinary client, with changes."""
    values = {
        "remote_info": "mail.example.net",
        "hello_host": "helo.example.net",
        "remote_ip": "192.0.2.1",
        "me": "mx.example.org",
        "version": "2.0",
        "protocol": "ESMTP",
    }
    late = ("transaction_id", "recipient")
    values |= {name: value for name, value in changes.items() if name not in late}
    lead = trace.received_lead(**values)
    return trace.received_from(lead, *(changes.get(name, "") for name in late), when=NOON)


# -------------------------------------------------------------------------------------------- date


@pytest.mark.parametrize(
    ("name", "when", "text"),
    [
        ("UTC", NOON, "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("UTC", 0, "Thu, 01 Jan 1970 00:00:00 +0000"),
        ("UTC", 1_709_164_800.9, "Thu, 29 Feb 2024 00:00:00 +0000"),
        ("IST-5:30", NOON, "Wed, 15 Nov 2023 03:43:20 +0530"),
        ("NST3:30", NOON, "Tue, 14 Nov 2023 18:43:20 -0330"),
    ],
)
def test_date(zone, name, when, text):
    zone(name)
    assert trace.date(when) == text
    assert parsedate_to_datetime(text).timestamp() == int(when)


def test_date_is_now_unless_told():
    before = int(time.time())
    assert before <= parsedate_to_datetime(trace.date()).timestamp() <= time.time()


def test_all_months_and_days():
    for month in range(12):
        when = NOON + month * 30 * 86400
        assert trace.date(when) == format_datetime(datetime.fromtimestamp(when, UTC))


# ---------------------------------------------------------------------------------------- Received


def test_received_has_the_shape_of_the_original():
    assert received() == (
        "from mail.example.net (HELO helo.example.net) (192.0.2.1)\n"
        " by mx.example.org (qpsmtpd/2.0) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000"
    )


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"protocol": "ESMTPSA", "cipher": "TLS_AES_256_GCM_SHA384"},
            (
                " by mx.example.org (qpsmtpd/2.0) with ESMTPSA (TLS_AES_256_GCM_SHA384",
                " encrypted); Tue, 14 Nov 2023 22:13:20 +0000",
            ),
        ),
        (
            {"transaction_id": "c1.3", "recipient": "<user@example.org>"},
            (
                " by mx.example.org (qpsmtpd/2.0) with ESMTP id c1.3 for <user@example.org>;",
                " Tue, 14 Nov 2023 22:13:20 +0000",
            ),
        ),
        (
            {"version": "", "me": "mx"},
            (" by mx (qpsmtpd) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000",),
        ),
        ({"me": ""}, (" by localhost (qpsmtpd/2.0) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000",)),
        (
            {"recipient": "<ä@example.org>", "me": "mx"},
            (" by mx (qpsmtpd/2.0) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000",),
        ),
        (
            {"recipient": "<" + "x" * 600 + ">", "me": "mx"},
            (" by mx (qpsmtpd/2.0) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000",),
        ),
    ],
)
def test_what_received_says_of_us(changes, lines):
    assert tuple(received(**changes).split("\n")[1:]) == lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"remote_info": "ident@mail.example.net"},
            "from ident@mail.example.net (HELO helo.example.net) (192.0.2.1)",
        ),
        ({"remote_info": ""}, "from Unknown (HELO helo.example.net) (192.0.2.1)"),
        (
            {
                "remote_info": "[2001:db8::1]",
                "hello_host": "[IPv6:2001:db8::1]",
                "remote_ip": "2001:db8::1",
            },
            "from [2001:db8::1] (HELO [IPv6:2001:db8::1]) (2001:db8::1)",
        ),
        (
            {"hello_host": "a) (1.2.3.4\r\nX: \0\\é"},
            "from mail.example.net (HELO a\\) \\(1.2.3.4??X: ?\\\\?) (192.0.2.1)",
        ),
        ({"remote_info": "a b;(c"}, "from a?b??c (HELO helo.example.net) (192.0.2.1)"),
        ({"hello_host": ""}, "from mail.example.net (HELO ) (192.0.2.1)"),
        (
            {"hello_host": "", "remote_info": "a b"},
            "from a?b (HELO ) (192.0.2.1)",
        ),
    ],
)
def test_what_received_says_of_the_client(changes, line):
    assert received(**changes).split("\n by ")[0] == line


def test_long_words_are_cut():
    text = received(hello_host="h" * 5000, remote_info="r" * 5000, me="m" * 5000)
    assert max(map(len, text.split("\n"))) < 600
    assert "h" * 255 in text
    assert "h" * 256 not in text


# ------------------------------------------------------------------------------------- all of them


def test_trace_fields_are_put_on_top():
    header = Header(b"Subject: x\n" + RESULTS)
    trace.add_trace_fields(
        header,
        received(),
        trace.authentication_results("mx.example.org"),
        authserv_id="mx.example.org",
    )
    assert header.to_bytes() == (
        b"Authentication-Results: mx.example.org; auth=none\n"
        b"Received: from mail.example.net (HELO helo.example.net) (192.0.2.1)\n"
        b" by mx.example.org (qpsmtpd/2.0) with ESMTP; Tue, 14 Nov 2023 22:13:20 +0000\n"
        b"Subject: x\n" + OLD
    )


def test_the_common_message_is_not_cut():
    header = Header(b"Subject: x\nTo: y\n")
    trace.add_trace_fields(header, received(), "mx; auth=none", authserv_id="mx")
    assert header._raws is None


@pytest.mark.parametrize("authserv_id", ["", "none", "NONE"])
def test_none_leaves_results_of_others_alone(authserv_id):
    header = Header(RESULTS)
    trace.add_trace_fields(header, "from x", "", authserv_id=authserv_id)
    assert header.to_bytes() == b"Received: from x\n" + RESULTS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from x\n by y; date", b"from x\n by y; date"),
        ("from x\nby y; date\n", b"from x\n by y; date"),
        ("from x\r\n\r\nX: y\0\x1b", b"from x\n X: y??"),
        ("fröm x", b"fr?m x"),
        ("", b""),
        ("\n\n", b""),
    ],
)
def test_a_plugin_text_is_tidied(text, value):
    header = Header(b"Subject: x\n")
    trace.add_trace_fields(header, trace.tidy(text))
    assert header.to_bytes() == b"Received: " + value + b"\nSubject: x\n"


def test_a_plugin_text_is_bounded():
    text = trace.tidy("a" * 5000 + "\n" + "word " * 100)
    assert max(map(len, text.split("\n"))) <= 900
    assert max(map(len, text.split("\n")[1:])) <= 78


ANY = st.text() | st.text(" ()\\\"';\r\n\0aé\u2028", max_size=400)


@given(ANY, ANY, ANY, ANY, st.lists(ANY, max_size=4))
def test_nothing_gets_out_of_its_field(hello, info, user, line, results):
    for text in (
        received(hello_host=hello, remote_info=info, remote_ip=line, transaction_id=user),
        received(cipher=hello, me=info, protocol=user, version=line, recipient=f"<{line}>"),
        trace.authentication_results(
            info, results, authenticated=True, mechanism=hello, user=user
        ),
        trace.tidy(line),
    ):
        header = Header(b"Subject: x\n")
        trace.add_trace_fields(header, text, text)
        written = header.to_bytes()
        assert re.fullmatch(rb"([ -~]*\n)+", written)
        assert max(map(len, written.split(b"\n"))) <= 998
        names = [field.name for field in header]
        assert names in (
            ["Received", "Subject"],
            ["Authentication-Results", "Received", "Subject"],
        )
        assert written.endswith(b"\nSubject: x\n")


@given(st.lists(st.text("ab", min_size=1, max_size=120), min_size=1), st.integers(0, 30))
def test_unfolding_undoes_folding(words, column):
    for blank in (" ", "  ", " " * 90):
        text = blank.join(words)
        folded = trace._fold(text, column)
        assert folded.replace("\n", "") == text
        assert all(line.strip() for line in folded.split("\n"))
