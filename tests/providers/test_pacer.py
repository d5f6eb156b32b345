"""When a paced reader is woken: once a tick, on a grid that all share, out of step with the others."""

from __future__ import annotations

import asyncio

import pytest

from batchrun.providers.pacer import GRID, MAX_GATHERED, Grid, Pacer
from tests.virtual_time import START, in_virtual_time

TICK = 0.25


async def moments(pacer: Pacer, count: int, taken: int = 0) -> list[float]:
    """When so many reads may happen, in seconds from the start of the clock; each takes so many bytes."""
    reads = []
    for _ in range(count):
        await pacer.wait()
        pacer.took(taken, has_waited=False)
        reads.append(asyncio.get_running_loop().time() - START)
    return reads


@in_virtual_time
async def test_an_unpaced_connection_never_waits() -> None:
    """A tick of 0 is no pace at all."""
    assert await moments(Grid().pacer(), 10) == [0.0] * 10


@in_virtual_time
async def test_a_paced_connection_is_read_once_a_tick() -> None:
    """One read a tick, on the grid that many streams share."""
    pacer = Pacer(Grid())
    pacer.tick = TICK
    reads = await moments(pacer, 4)
    assert reads == [pytest.approx(nth * TICK, abs=GRID) for nth in (1, 2, 3, 4)]
    assert all(read * 100 == pytest.approx(round(read * 100)) for read in reads)


@in_virtual_time
async def test_a_read_that_waited_for_bytes_does_not_lead_to_a_burst() -> None:
    """After a pause the reads are a tick apart again, not made up for."""
    pacer = Pacer(Grid())
    pacer.tick = TICK
    await pacer.wait()
    await asyncio.sleep(10)
    assert await moments(pacer, 3) == [pytest.approx(10 + nth * TICK, abs=GRID) for nth in (1, 2, 3)]


@in_virtual_time
async def test_letting_a_pacer_go_takes_effect_at_once() -> None:
    """With the tick back at 0 the next read does not wait for the old one's moment."""
    pacer = Pacer(Grid())
    pacer.tick = TICK
    [first] = await moments(pacer, 1)
    pacer.tick = 0.0
    assert await moments(pacer, 2) == [first] * 2
    assert repr(pacer) == "<Pacer 0 ms>"


@in_virtual_time
async def test_streams_that_began_together_are_not_read_together() -> None:
    """The first wait is a share of the tick, another one for each: a thousand streams are no burst of a thousand."""
    grid = Grid()
    firsts = []
    for _ in range(20):
        pacer = grid.pacer()
        pacer.tick = TICK
        async with asyncio.TaskGroup() as group:
            began = asyncio.get_running_loop().time()
            await group.create_task(pacer.wait())
        firsts.append(asyncio.get_running_loop().time() - began)
    assert len({round(first, 2) for first in firsts}) > 10
    assert max(firsts) <= TICK + GRID


@in_virtual_time
async def test_a_full_buffer_shortens_the_next_wait() -> None:
    """Where four times too much had gathered, the next read comes four times as early: the peer must not wait for
    us."""
    pacer = Pacer(Grid())
    pacer.tick = 0.2
    reads = await moments(pacer, 3, taken=4 * MAX_GATHERED)
    assert reads == [pytest.approx(moment, abs=GRID) for moment in (0.2, 0.25, 0.3)]


@in_virtual_time
async def test_a_cancelled_sleeper_holds_up_nobody() -> None:
    """Who has gone is passed over when its moment comes."""
    grid = Grid()
    ours, theirs = Pacer(grid), Pacer(grid)
    ours.tick = theirs.tick = TICK
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(ours.wait())
        group.create_task(theirs.wait())
        await asyncio.sleep(0.01)
        gone.cancel()
    assert asyncio.get_running_loop().time() - START == pytest.approx(TICK, abs=GRID)
    assert repr(grid) == "<Grid 0 sleepers at 0 moments>"
