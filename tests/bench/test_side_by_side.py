"""`bench gate --side-by-side` tells how two runs share a host, and does not make up what it has not seen."""

from __future__ import annotations

import pytest

from batchrun.bench.gate import GatePlan, Policy
from batchrun.bench.side_by_side import SideBySide, beside
from batchrun.bench.worker import Figures

SAMPLE = {"streamed": True, "first_byte": None, "ttft": None, "tokens": 0, "connections": 1, "cause": None}


def run_of(began: float, own: list[float]) -> Figures:
    """A run that used so much in its periods of two seconds, beside as much again that the host tells of."""
    periods = [{"t": 2.0 * (n + 1), "cpu": each + 20.0, "own": each, "slots": 4.0} for n, each in enumerate(own)]
    samples = [SAMPLE | {"total": 1.0}]
    return {"began": began, "samples": samples, "not_begun": 0, "periods": periods, "total_seconds": 2.0 * len(own)}


def compared(first: Figures, second: Figures) -> SideBySide:
    def run(_: Policy, delay: float) -> Figures:
        return second if delay else first

    return beside(GatePlan(), "adaptive", run)


def test_shares_are_counted_while_both_are_there_and_have_settled() -> None:
    """What the first had alone, and what it had while the second came in, is no part of its share."""
    first = run_of(1000.0, [60.0] * 10 + [50.0] * 4 + [30.0] * 6)
    second = run_of(1020.0, [5.0] * 5 + [24.0] * 5)
    figures = compared(first, second)
    assert [run.share for run in figures.runs] == [30.0, 24.0]
    assert figures.fairness == pytest.approx(24.0 / 30.0)
    assert figures.host_cpu == pytest.approx((50.0 + 44.0) / 2)
    assert figures.both_seconds == pytest.approx(18.0)
    assert figures.runs[1].times[0] == 22.0


def test_runs_that_never_met_have_no_shares() -> None:
    """A second run that came too late is no proof of anything."""
    figures = compared(run_of(0.0, [60.0] * 3), run_of(50.0, [60.0] * 3))
    assert (figures.fairness, figures.both_seconds) == (None, 0.0)
    assert [run.share for run in figures.runs] == [None, None]


def test_a_run_that_got_nothing_is_told_as_one_that_starves() -> None:
    """The smaller share over the larger is 0 then, not unknown."""
    assert compared(run_of(0.0, [60.0] * 9), run_of(1.0, [0.0] * 9)).fairness == 0.0
