"""Telemetry becomes curves and shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchrun.report.periods import read_periods
from batchrun.report.series import LimitShare, Series, period_of
from tests.report.nights import StateWriter, gate, stamp


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    return StateWriter(tmp_path / "jobs.jsonl")


def test_what_limited_is_told_by_share_of_the_periods(writer: StateWriter) -> None:
    """Of four periods three at the CPU target."""
    for at, limited_by in ((2, "ramp"), (4, "cpu"), (6, "cpu"), (8, "cpu")):
        writer.period("run-1", at, 8, 50.0, limited_by)
    series = Series()
    series.take(read_periods(writer.state.telemetry, ""))
    assert series.limits() == [LimitShare("claude", "cpu", 0.75), LimitShare("claude", "ramp", 0.25)]
    assert list(series.slots) == [8.0] * 4


def test_backends_have_shares_of_their_own(writer: StateWriter) -> None:
    """Slots add up over the gates; what limited does not."""
    writer.period("run-1", 2, 8, 50.0, "cpu", gates={"claude": gate(8, "cpu"), "ollama": gate(2, "max_slots")})
    series = Series()
    series.take(read_periods(writer.state.telemetry, ""))
    assert list(series.slots) == [10.0]
    assert series.limits() == [LimitShare("claude", "cpu", 1.0), LimitShare("ollama", "max_slots", 1.0)]


def test_reading_begins_at_the_moment_asked_for(writer: StateWriter) -> None:
    """However long the file is, and whatever moment is asked for, exactly the later periods come."""
    for place in range(2000):
        writer.period("run-1", 2 * place, 8, 50.0, "cpu")
    for since in (0, 1, 1999, 3500, 3998, 3999):
        found = [period.stamp for period in read_periods(writer.state.telemetry, stamp(since))]
        assert found == [stamp(2 * place) for place in range(2000) if 2 * place >= since]


def test_lines_that_cannot_be_read_are_passed_over(writer: StateWriter) -> None:
    """Telemetry is a story: a torn line costs a period and nothing else."""
    writer.period("run-1", 2, 8, 50.0, "cpu")
    with writer.state.telemetry.open("ab") as file:
        file.write(b'{"t": "2026-11-2\n[]\n{"t": 5, "run": "x", "gates": {}}\n\xff\xfe\n')
    writer.period("run-1", 4, 8, 50.0, "cpu")
    assert [period.stamp for period in read_periods(writer.state.telemetry, "")] == [stamp(2), stamp(4)]


def test_no_telemetry_is_no_trouble(tmp_path: Path) -> None:
    """A run that was killed in its first second left none."""
    assert list(read_periods(tmp_path / "telemetry.jsonl", "")) == []


def test_what_a_period_does_not_know_is_nought() -> None:
    """The first sample of a run has no CPU yet."""
    fields: dict[str, Any] = {
        "t": stamp(0),
        "run": "r",
        "cpu": None,
        "proc_cpu": None,
        "rss_mb": None,
        "tok_s": None,
        "gates": {},
    }
    period = period_of(fields)
    assert (period.cpu, period.tok_s, period.gates) == (0.0, 0.0, {})


def test_a_period_tells_the_failed_attempts_of_its_run(writer: StateWriter) -> None:
    """Also those of items that have not finished; an older line says nothing of them."""
    writer.period("run-1", 2, 8, 50.0, "ramp", retried={"connect": 3}, wasted_tokens=7)
    writer.period("run-1", 4, 8, 50.0, "ramp", retried=None)
    periods = list(read_periods(writer.state.telemetry, ""))
    assert [(period.retried, period.wasted_tokens) for period in periods] == [({"connect": 3}, 7), (None, 0)]
