import random
import struct

import pytest

from qpsmtpd.services.dns.contract import TYPES, Answer, Status
from qpsmtpd.services.dns.message import MAX_ALIASES, Outcome, Question, decode, encode, new_id
from qpsmtpd.services.dns.reply import read, write
from qpsmtpd.services.dns.zone import Zone

RECORDS = {
    "A": ("192.0.2.1", "192.0.2.2"),
    "NS": ("ns.example.org",),
    "CNAME": ("other.example.org",),
    "SOA": (("ns.example", "root.example", 1, 2, 3, 4, 5),),
    "PTR": ("host.example.org",),
    "MX": ((10, "mx.example.org"), (0, "")),
    "TXT": ("v=spf1 -all", "", "long " * 200, "grün", "\udcff\udcfe"),
    "AAAA": ("2001:db8::1",),
    "SRV": ((1, 2, 25, "srv.example.org"),),
    "NAPTR": ('1 2 "s" "E2U+email" "" replaced.example.',),
    "DS": ("1 8 2 " + "ab" * 32,),
    "TLSA": ((3, 1, 1, "ab" * 32),),
    "SPF": ("v=spf1 ?all",),
    "CAA": ('0 issue "ca.example"',),
}


def reply(zone, question, **options):
    """Return the bytes a server with *zone* would send."""
    asked = read(encode(question, options.pop("id", 7)), "udp", 0)
    return write(asked, Zone(zone), stream=True, **options)


def test_every_type_has_records_to_try():
    assert RECORDS.keys() == TYPES.keys()


@pytest.mark.parametrize("rdtype", TYPES)
def test_records_of_every_type_are_read(rdtype):
    question = Question.of("Example.ORG", rdtype)
    wire = reply({"example.org": {rdtype: RECORDS[rdtype]}}, question, authentic=True)
    expected = Answer(
        "example.org", rdtype, Status.FOUND, RECORDS[rdtype], ttl=300, authentic=True
    )
    assert decode(question, 7, wire) == expected


def test_a_question_asks_for_recursion_and_small_datagrams():
    question = Question.of("a.example", "TXT")
    plain = encode(question, 0x1234, edns=False)
    assert plain == (
        b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\0" + b"\x01a\x07example\0" + b"\0\x10\0\x01"
    )
    assert encode(question, 0x1234) == plain[:11] + b"\x01" + plain[12:] + (
        b"\0\0\x29" + struct.pack("!H", 1232) + b"\0\0\0\0\0\0"
    )


def test_ids_are_spread_over_all_there_are():
    found = {new_id() for _ in range(400)}
    assert len(found) > 300
    assert min(found) >= 0
    assert max(found) < 65536


def test_denials_last_as_long_as_the_zone_says():
    zone = {"example.org": {"A": ["192.0.2.1"]}}
    nodata = Question.of("example.org", "MX")
    nowhere = Question.of("nix.example.org", "MX")
    assert decode(nodata, 7, reply(zone, nodata)) == Answer(*nodata, Status.NODATA, ttl=60)
    assert decode(nowhere, 7, reply(zone, nowhere)) == Answer(*nowhere, Status.NXDOMAIN, ttl=60)


def test_a_denial_without_soa_does_not_last():
    question = Question.of("example.org", "MX")
    wire = bytearray(encode(question, 7, edns=False))
    wire[2:4] = b"\x81\x83"
    assert decode(question, 7, bytes(wire)) == Answer(*question, Status.NXDOMAIN)


def chain(length):
    zone = {
        f"n{number}.example": {"CNAME": [f"n{number + 1}.example"]} for number in range(length)
    }
    zone[f"n{length}.example"] = {"A": ["192.0.2.1"]}
    return zone


@pytest.mark.parametrize("length", [1, MAX_ALIASES])
def test_aliases_are_followed(length):
    question = Question.of("n0.example", "A")
    found = decode(question, 7, reply(chain(length), question))
    assert (found.name, found.records) == ("n0.example", ("192.0.2.1",))


def test_the_least_ttl_along_the_aliases_counts():
    zone = Zone()
    zone.add("a.example", "CNAME", "b.example", ttl=20)
    zone.add("b.example", "A", "192.0.2.1", ttl=3000)
    question = Question.of("a.example", "A")
    wire = write(read(encode(question, 7), "udp", 0), zone)
    assert decode(question, 7, wire).ttl == 20


@pytest.mark.parametrize(
    "zone",
    [
        chain(MAX_ALIASES + 1),
        {"n0.example": {"CNAME": ["n1.example"]}, "n1.example": {"CNAME": ["n0.example"]}},
        {"n0.example": {"CNAME": ["n0.example"]}},
    ],
    ids=["long", "circle", "itself"],
)
def test_aliases_without_end_are_a_failure(zone):
    question = Question.of("n0.example", "A")
    found = decode(question, 7, reply(zone, question))
    assert found.status is Status.SERVFAIL
    assert "alias" in found.reason


def test_an_alias_to_nothing_is_a_denial():
    question = Question.of("a.example", "A")
    zone = {"a.example": {"CNAME": ["b.example"]}}
    assert decode(question, 7, reply(zone, question)).status is Status.NXDOMAIN


def test_an_alias_itself_can_be_asked_for():
    question = Question.of("a.example", "CNAME")
    zone = {"a.example": {"CNAME": ["a.example"]}}
    assert decode(question, 7, reply(zone, question)).records == ("a.example",)


def test_answers_are_cut_at_a_hundred_records():
    question = Question.of("example.org", "MX")
    zone = {"example.org": {"MX": [(n, f"mx{n}.example.org") for n in range(150)]}}
    assert decode(question, 7, reply(zone, question)).records == tuple(
        (n, f"mx{n}.example.org") for n in range(100)
    )


def test_hostile_octets_in_names_come_out_as_escapes():
    question = Question.of("1.2.0.192.in-addr.arpa", "PTR")
    zone = {question.name: {"PTR": [r"a\010b\032c\233.example"]}}
    assert decode(question, 7, reply(zone, question)).records == (r"a\010b\032c\233.example",)


def test_what_is_not_our_answer_is_foreign():
    question = Question.of("example.org", "A")
    zone = {"example.org": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]}}
    right = reply(zone, question)
    assert decode(question, 7, right).found
    wrong = [
        b"",
        right[:11],
        right[:20],
        reply(zone, question, number=8),
        reply(zone, question, name="example.net"),
        reply(zone, question._replace(type="AAAA")),
        right[:2] + bytes([right[2] & 0x7F]) + right[3:],  # a question
        right[:2] + bytes([right[2] | 0x08]) + right[3:],  # another operation
        right[:4] + b"\0\0" + right[6:],  # no question
        right[:4] + b"\0\x02" + right[6:],  # two
        right.replace(b"org\0\0\x01\0\x01", b"org\0\0\x01\0\x03", 1),  # another class
    ]
    assert {decode(question, 7, message) for message in wrong} == {Outcome.FOREIGN}


def test_case_of_letters_does_not_matter():
    question = Question.of("example.org", "A")
    right = reply({"example.org": {"A": ["192.0.2.1"]}}, question)
    assert decode(question, 7, right.replace(b"example", b"EXAMPLE", 1)).found


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(1, Outcome.NO_EDNS), (2, Outcome.FAILED), (4, Outcome.FAILED), (5, Outcome.FAILED)],
)
def test_failures_of_servers_are_told_apart(code, outcome):
    question = Question.of("example.org", "A")
    assert decode(question, 7, reply({}, question, rcode=code)) is outcome


def test_a_server_that_cannot_even_repeat_the_question_knows_no_edns():
    question = Question.of("example.org", "A")
    assert decode(question, 7, b"\0\x07\x81\x81" + bytes(8)) is Outcome.NO_EDNS


def test_an_extended_failure_is_one():
    question = Question.of("example.org", "A")
    wire = encode(question, 7)
    opt = b"\0\0\x29\x04\xd0\x01\0\0\0\0\0"  # BADVERS, RFC 6891 §9
    message = wire[:2] + b"\x81\x80" + wire[4:-11] + opt
    assert decode(question, 7, message) is Outcome.FAILED


def test_a_cut_answer_is_asked_for_again():
    question = Question.of("example.org", "A")
    wire = reply({}, question, truncated=True)
    assert decode(question, 7, wire) is Outcome.TRUNCATED


def test_whatever_follows_the_question_reading_ends_well():
    question = Question.of("example.org", "TXT")
    right = reply({"example.org": {"TXT": ["v=spf1 -all"] * 1, "A": ["192.0.2.1"]}}, question)
    start = len(encode(question, 7, edns=False))
    dice = random.Random(5)
    for _ in range(300):
        message = bytearray(right)
        for _ in range(dice.randrange(1, 6)):
            message[dice.randrange(start, len(message))] = dice.randrange(256)
        found = decode(question, 7, bytes(message[: dice.randrange(start, len(message) + 1)]))
        assert isinstance(found, Answer | Outcome)
    assert decode(question, 7, right[:start] + b"\xc0\xff" * 20) is Outcome.FAILED
