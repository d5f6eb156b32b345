"""When a paced connection is looked at: once a tick, on a grid that all share; and who is charged for it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from batchrun.providers.pacer import CHARGE, GRID, GROUPS, MAX_GATHERED, Grid, Pacer
from tests.virtual_time import START, in_virtual_time

TICK = 0.24  # a period that readers share as it is


def time() -> float:
    return asyncio.get_running_loop().time() - START


async def moments(pacer: Pacer, count: int, taken: int = 0) -> list[float]:
    """When the next looks happen, in seconds from the start of the clock; each takes so many bytes."""
    looks: list[float] = []

    def look(now: float) -> bool:
        assert now == asyncio.get_running_loop().time()
        looks.append(time())
        pacer.took(taken)
        return len(looks) == count

    await pacer.gather(look)
    return looks


@in_virtual_time
async def test_a_paced_connection_is_looked_at_once_a_tick() -> None:
    """One look a tick, on the grid that many streams share; the reader is woken by the last one alone."""
    pacer = Pacer(Grid())
    pacer.pace(TICK)
    first, *later = await moments(pacer, 5)
    assert 0 < first <= TICK + GRID
    assert later == [pytest.approx(first + nth * TICK) for nth in (1, 2, 3, 4)]
    assert repr(pacer) == "<Pacer 240 ms>"


@pytest.mark.parametrize("tick", [0.001, 0.01, 0.02, 0.031, 0.07, 0.1, 0.25])
@in_virtual_time
async def test_no_tick_is_exceeded(tick: float) -> None:
    """What readers share is never longer than what one of them allows, or one moment of the grid."""
    pacer = Pacer(Grid(), 1)
    pacer.pace(tick)
    looks = [0.0, *await moments(pacer, 20)]
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert max(gaps) <= max(tick, GRID) + 1e-6
    assert min(gaps[1:]) >= max(tick / 2, GRID) - 1e-6


@in_virtual_time
async def test_the_moments_of_different_ticks_meet() -> None:
    """One turn of the loop looks after many streams, also where they are not of the same age."""
    moments_of = []
    for tick in (0.03, 0.06, 0.12, 0.24):
        pacer = Pacer(Grid())
        pacer.pace(tick)
        moments_of.append({round((START + at) / GRID) for at in await moments(pacer, 8)})
    for rare, often in pairwise(reversed(moments_of)):
        period = min(later - earlier for earlier, later in pairwise(sorted(often)))
        assert {at % period for at in rare} == {at % period for at in often}


@in_virtual_time
async def test_a_pause_of_the_reader_does_not_lead_to_a_burst() -> None:
    """What was not looked for while nobody read is not made up for."""
    pacer = Pacer(Grid())
    pacer.pace(TICK)
    await moments(pacer, 1)
    await asyncio.sleep(10)
    looks = await moments(pacer, 3)
    assert looks[0] > 10
    assert looks[2] - looks[0] == pytest.approx(2 * TICK)


@in_virtual_time
async def test_streams_that_began_together_are_not_all_read_together() -> None:
    """They stand in groups, each with moments of its own: a thousand streams are no burst of a thousand."""
    grid = Grid()
    firsts = []
    async with asyncio.TaskGroup() as group:
        pacers = [grid.pacer() for _ in range(30)]
        for pacer in pacers:
            pacer.pace(TICK)
        tasks = [group.create_task(moments(pacer, 1)) for pacer in pacers]
    firsts = [round(task.result()[0], 3) for task in tasks]
    assert [firsts.count(first) for first in set(firsts)] == [30 / GROUPS] * GROUPS


@in_virtual_time
async def test_a_full_buffer_shortens_the_next_wait() -> None:
    """Where four times too much had gathered, the next look comes four times as early: the peer must not wait for
    us."""
    pacer = Pacer(Grid())
    pacer.pace(TICK)
    first, second, third = await moments(pacer, 3, taken=4 * MAX_GATHERED)
    assert second - first == pytest.approx(TICK / 4, abs=GRID)
    assert third - second == pytest.approx(TICK / 4, abs=GRID)


@in_virtual_time
async def test_a_reader_that_has_gone_is_not_looked_for() -> None:
    """Its moment passes without a look, also where it reads again by then; the others are not held up."""
    grid = Grid()
    ours, theirs = Pacer(grid), Pacer(grid)
    ours.pace(TICK)
    theirs.pace(TICK)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(moments(ours, 1))
        others = group.create_task(moments(theirs, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        again = group.create_task(moments(ours, 2))
    assert len(others.result()) == 2
    assert again.result()[1] - again.result()[0] == pytest.approx(TICK)
    assert repr(grid) == "<Grid 0 looks at 0 moments>"


@in_virtual_time
async def test_each_reader_is_charged_for_its_own_looks() -> None:
    """Looks happen outside the reader's steps; who reads says where they are to be charged."""
    grid = Grid()
    charges: dict[str, list[float]] = {"light": [], "heavy": []}
    looks = {"light": 0, "heavy": 0}

    async def read(name: str) -> None:
        CHARGE.set(charges[name].append)
        pacer = Pacer(grid)
        pacer.pace(TICK)

        def look(now: float) -> bool:
            sum(range(300_000 if name == "heavy" else 3))
            looks[name] += 1
            return looks[name] % 4 == 0

        for _ in range(2):
            await pacer.gather(look)

    async with asyncio.TaskGroup() as group:
        group.create_task(read("light"))
        group.create_task(read("heavy"))
    assert [len(of) for of in charges.values()] == [2, 2]  # all looks of a wait at once, when the reader goes on
    assert sum(charges["heavy"]) > 10 * sum(charges["light"])
