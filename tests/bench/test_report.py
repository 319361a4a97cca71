"""The arithmetic and layout of bench.report."""

from datetime import UTC, datetime

import pytest
from bench.load import WORK, Run
from bench.report import Idle, Sample

from bench import report

TITLES = {"sink": "sink", "ours": "our server", "other": "another"}


def sample(messages=1000, seconds=1.0, cpu=0.5, pss=1 << 20):
    return Sample(Run(messages, seconds, 0.25), cpu, pss)


def cells(text, first):
    """The cells of the row that begins with *first*."""
    row = next(line for line in text.splitlines() if line.startswith(first))
    return row.removeprefix(first).split()


def test_cost_is_for_a_thousand_messages():
    assert sample(messages=500, cpu=0.2).cost == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (1, 4, "0.25"),
        (3, 2, "1.50"),
        (30, 2, "15.0"),
        (691.7, 1, "692"),
        (1, None, "-"),
        (1, 0, "-"),
    ],
)
def test_a_ratio_has_three_digits_at_most_until_it_is_large(value, limit, text):
    assert report.ratio(value, limit) == text


def test_a_table_shows_medians_and_ratios_to_the_limit():
    samples = {
        "sink": [sample(cpu=0.1, pss=1 << 20)],
        "ours": [sample(cpu=cpu, seconds=2, pss=3 << 20) for cpu in (0.9, 0.2, 0.3)],
    }
    text = report.work_table(WORK["a"], samples, TITLES, "sink")
    expected = ["500", "0.50", "0.300", "3.00", "3.0", "3.00", "12%"]
    assert cells(text, "our server") == expected
    assert cells(text, "sink") == ["1,000", "1.00", "0.100", "1.00", "1.0", "1.00", "25%"]


def test_a_failure_is_told_and_the_others_are_still_shown():
    samples = {"sink": [sample()], "other": "bad reply 550"}
    text = report.work_table(WORK["b"], samples, TITLES, "sink")
    assert cells(text, "another ")[0] == "failed"
    assert "another: bad reply 550" in text


def test_without_the_limit_there_are_no_ratios():
    text = report.work_table(WORK["b"], {"ours": [sample()]}, TITLES, "sink")
    assert cells(text, "our server")[1] == "-"


def test_columns_are_as_wide_as_their_widest_cell():
    text = report.table(("server", "n"), [("a", "1,000"), ("long name", "2")])
    assert text.splitlines() == [
        "server         n",
        "---------  -----",
        "a          1,000",
        "long name      2",
    ]


def test_idle_memory_is_for_one_session():
    found = {
        "sink": Idle(1000, 2048.0, sample()),
        "ours": Idle(10_000, 1024.0, sample()),
        "other": "closed",
    }
    text = report.idle_table(found, TITLES, "sink")
    assert cells(text, "our server")[:3] == ["10,000", "1.0", "0.50"]
    assert "another: closed" in text


@pytest.mark.parametrize(("power", "expected"), [(0, 0.1), (1, 1.0), (2, 10.0)])
def test_growth_is_one_when_cost_is_linear(power, expected):
    costs = {size: 0.01 * size**power for size in (1, 10, 100, 1000)}
    assert report.growth(costs) == pytest.approx(expected)


def test_what_every_message_costs_makes_growth_less():
    assert report.growth({1: 5.0, 100: 5.1, 1000: 6.0}) == pytest.approx(6 / 51)


def test_growth_says_nothing_where_nothing_was_measurable():
    assert report.growth({1: 0.0, 10: 0.0, 100: 0.0, 1000: 2.5}) == 0.0


def test_linear_cost_is_shown_by_size():
    cells_of = {size: sample(cpu=size / 1000) for size in (1, 10, 100, 1000)}
    text = report.linear_table("recipients", {"ours": cells_of}, TITLES)
    assert cells(text, "our server") == ["0.001", "0.010", "0.100", "1.000", "1.00"]


def test_a_size_that_was_left_out_is_a_dash():
    found = {
        "ours": {size: sample(cpu=0.2) for size in (1, 10, 100, 1000)},
        "other": {size: sample(cpu=0.3) for size in (1, 10, 100)},
    }
    text = report.linear_table("sessions", found, TITLES)
    assert cells(text, "another") == ["0.300", "0.300", "0.300", "-", "1.00"]


def test_results_are_named_by_day_and_commit(monkeypatch):
    monkeypatch.setattr(report, "commit", lambda: "abc1234")
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert report.path(noon).parts[-3:] == ("bench", "results", "2026-11-23-abc1234.txt")
    assert report.path(noon, quick=True).name == "2026-11-23-abc1234-quick.txt"


def test_the_heading_names_date_commit_and_versions(monkeypatch):
    monkeypatch.setattr(report, "commit", lambda: "abc1234")
    text = report.heading(datetime(2026, 11, 23, 12, tzinfo=UTC), 3, 2.5)
    assert "2026-11-23 12:00 UTC" in text
    assert "abc1234" in text
    assert "3, interleaved" in text
