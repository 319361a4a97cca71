import pytest
from tests.smtp.ways import every_way

from qpsmtpd.smtp import State
from qpsmtpd.smtp.command import COMMANDS, UNRECOGNIZED


def test_verbs_are_upper_case_and_rows_name_them():
    assert all(verb.decode() == row.name.upper() for verb, row in COMMANDS.items())
    junk = {row.name for row in COMMANDS.values() if row.junk}
    assert junk == {"ehlo", "expn", "helo", "help", "lhlo", "noop", "rset", "vrfy"}
    assert UNRECOGNIZED.name not in {row.name for row in COMMANDS.values()}


def test_every_row_names_its_rule():
    assert all(row.rfc for row in (*COMMANDS.values(), UNRECOGNIZED))


def test_refusals_are_errors_of_sequence():
    for row in (*COMMANDS.values(), UNRECOGNIZED):
        for state, (plain, enhanced) in row.refused.items():
            assert State(state)
            assert (plain[:4], enhanced[:10]) == (b"503 ", b"503 5.5.1 ")


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_verbs_have_no_case(verb):
    text = verb.decode()
    mixed = "".join(a.upper() if n % 2 else a.lower() for n, a in enumerate(text)).encode()
    upper, lower = (
        every_way(verb + b"\r\n", trailing=False),
        every_way(mixed + b"\r\n", trailing=False),
    )
    assert upper.codes == lower.codes
    assert len(upper.codes) == 2
