"""F32: a machine that slept, told from a busy one and from a clock that was set."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from batchrun.curfew import Curfew
from batchrun.outcome import Status
from batchrun.slumber import Slumber
from tests.fakes import Stage
from tests.virtual_time import START, run_virtual, skip


@pytest.mark.parametrize(
    ("wall", "steady", "slept"),
    [
        (2.0, 2.0, 0.0),  # nothing happened
        (2.5, 2.5, 0.0),  # a busy loop
        (25.0, 25.0, 0.0),  # a very busy one
        (22.0, 2.0, 0.0),  # a clock that is set right
        (3602.0, 2.0, 3600.0),  # a sleep for which the steady clock stood
        (3602.0, 3602.0, 3600.0),  # one for which it went on, or a process that was stopped
        (-3600.0, 2.0, 0.0),  # a clock that is set back
    ],
)
def test_a_sleep_is_a_gap_between_the_clocks_or_a_late_look(wall: float, steady: float, slept: float) -> None:
    """Two seconds after the first look a second one is due."""
    assert Slumber(0.0, 0.0).look(wall, steady, due=2.0) == slept


def test_a_sleep_is_told_once() -> None:
    """The next look begins anew."""
    slumber = Slumber(0.0, 0.0)
    assert slumber.look(602.0, 2.0, due=2.0) == 600.0
    assert slumber.look(604.0, 4.0, due=4.0) == 0.0


def test_a_run_makes_its_connections_anew_after_a_sleep(tmp_path: Path) -> None:
    """Once, within a period, and no item is lost."""
    stage = Stage(tmp_path, lambda prompt, seen: [1.0], 60)

    async def run() -> None:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(3)
            assert stage.provider.dropped == 0
            stage.slept = timedelta(hours=1)
            await asyncio.sleep(2)
            assert stage.provider.dropped == 1

    run_virtual(run())
    assert stage.provider.dropped == 1
    assert len(stage.store.outcomes) == 60


def test_a_sleep_is_no_reason_to_give_up(tmp_path: Path) -> None:
    """A process that was stopped for an hour could finish nothing meanwhile; it goes on where it was."""
    stage = Stage(tmp_path, lambda prompt, seen: [20.0], 30, give_up=600.0)

    async def run() -> None:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(5)
            skip(3600.0)

    run_virtual(run())
    assert [outcome.status for outcome in stage.store.outcomes] == [Status.DONE] * 30
    assert stage.stop.reason is None


def test_the_length_of_a_run_is_that_of_the_wall(tmp_path: Path) -> None:
    """`--max-time` is there for those who need the machine in the morning, and the morning comes in its sleep, too."""
    stage = Stage(tmp_path, lambda prompt, seen: [1.0], 4000, curfew=Curfew(max_time=1800.0))

    async def run() -> None:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(5)
            stage.slept = timedelta(hours=1)  # while the steady clock stands

    run_virtual(run())
    assert stage.stop.reason == "the run has lasted 30 min (--max-time)"
    assert max(stage.provider.asked_at) < START + 10
