"""`bench journal` tells what items wait for, and whether group commits keep up."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from batchrun.bench import journal_rate_worker, journal_worker
from batchrun.bench.endpoint import Endpoint
from batchrun.bench.journal import HERE, SLOW, JournalPlan, journal_comparison
from batchrun.journal.state import StateDir
from tests.journal.builders import checkpoints

PLAN = JournalPlan(streams=4, items=8, tokens=4, rate=200, seconds=0.2, sync_ms=2.0)


async def test_every_answer_is_in_the_journal_of_its_disk(tmp_path: Path, instant: Endpoint) -> None:
    """What is measured is what a run does; without a journal there is none."""
    order = {"plan": asdict(PLAN), "place": str(tmp_path), "base_url": instant.base_url}
    streams, rates = await journal_worker.measure(order), await journal_rate_worker.measure(order)
    figures = journal_comparison(PLAN, streams, rates)
    assert [(disk.items, disk.failed) for disk in figures.streams] == [(8, 0)] * 3
    assert [disk.wait is None for disk in figures.streams] == [True, False, False]
    written = {path.name: len(checkpoints(StateDir(path))) for path in tmp_path.iterdir()}
    assert written == {
        f"streams on {HERE}": 8,
        f"streams on {SLOW}": 8,
        f"finishes on {HERE}": 40,
        f"finishes on {SLOW}": 40,
    }


async def test_on_a_slow_disk_commits_are_shared(tmp_path: Path) -> None:
    """Each waits for the disk at least; nothing is written one by one that came meanwhile (C12)."""
    rates = await journal_rate_worker.measure({"plan": asdict(PLAN), "place": str(tmp_path)})
    _, slow = journal_comparison(PLAN, {}, rates).rates
    assert slow.finished == 40
    assert slow.commits < 40
    assert slow.wait is not None
    assert slow.wait.median >= 2 * PLAN.sync_ms / 1000


def test_to_keep_up_is_to_hold_nothing_back_and_to_end_with_the_last_finish() -> None:
    """By what was measured, and by how long the disk takes."""
    told = {"lags": [0.001], "total_seconds": 5.0, "loop_cpu": 0.5, "other_cpu": 0.1, "sync_seconds": 0.0002}
    told |= {"waits": [0.02] * 10, "commits": 2, "held_back": 0, "behind": 0.05}

    def keeps_up(**changes: float) -> bool:
        return journal_comparison(JournalPlan(), {}, {HERE: told, SLOW: told | changes}).rates[1].keeps_up

    assert keeps_up()
    assert not keeps_up(behind=0.2)
    assert not keeps_up(held_back=1)
