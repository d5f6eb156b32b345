"""`bench backends` tells what a slow backend does to a fast one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchrun.bench.backends import ALONE, BESIDE, BackendsPlan, backends_figures
from batchrun.journal.record import Checkpoint, encode_checkpoint, parse_checkpoint
from batchrun.outcome import Status
from tests.report.nights import failed, outcome, stamp


def record(backend: str, begun: float, ended: float, *, is_answered: bool = True) -> Checkpoint:
    ending = outcome("a", backend=backend) if is_answered else failed("a", "broken", "it broke", backend=backend)
    line = encode_checkpoint(replace(ending, started=stamp(begun), finished=stamp(ended)), 0, 1)
    return parse_checkpoint(line)


def test_the_time_of_the_fast_backend_is_that_of_its_own_items() -> None:
    """From the first begun to the last finished, whatever the slow one still does; the ratio is of all rounds."""
    alone = [[record("fast", 0, 4), record("fast", 1, 10)], [record("fast", 0, 10)]]
    beside = [[record("slow", 0, 90), record("fast", 2, 13)], [record("slow", 0, 95), record("fast", 0, 10)]]
    figures = backends_figures(BackendsPlan(), {ALONE: alone, BESIDE: beside})
    assert [run.seconds for run in figures.runs] == [(10.0, 10.0), (11.0, 10.0)]
    assert [run.slow_seconds for run in figures.runs] == [(), (90.0, 95.0)]
    assert figures.ratio == pytest.approx(1.05)


def test_without_an_answer_there_is_no_time() -> None:
    """A failure that comes at once is no fast backend."""
    runs = [[record("fast", 0, 1, is_answered=False)]]
    assert runs[0][0].status is Status.FAILED
    figures = backends_figures(BackendsPlan(), {ALONE: runs, BESIDE: runs})
    assert [(run.answered, run.failed, run.seconds) for run in figures.runs] == [(0, 1, ())] * 2
    assert figures.ratio is None


def test_each_backend_counts_its_own_failures() -> None:
    """What fails on the slow one is no fault of the fast one, whose figures these are."""
    beside = [[record("slow", 0, 9, is_answered=False), record("slow", 0, 9), record("fast", 0, 1)]]
    _, told = backends_figures(BackendsPlan(), {ALONE: [[record("fast", 0, 1)]], BESIDE: beside}).runs
    assert (told.answered, told.failed, told.slow_answered, told.slow_failed) == (1, 0, 1, 1)


@pytest.mark.parametrize("plan", [BackendsPlan(), BackendsPlan(items=1000), BackendsPlan(4, 2, 2.0, 2, 1)])
def test_the_slow_backend_is_at_work_until_the_fast_one_is_done(plan: BackendsPlan) -> None:
    """Else there would be nothing to measure."""
    waves = plan.slow_items / plan.slots
    assert waves * plan.item_seconds * plan.slower > plan.fast_seconds
