"""What one attempt is measured at: its own cores and the loop's, its tokens, its first token."""

from __future__ import annotations

import asyncio

import pytest

from batchrun.stream.meter import Account, Meter, charged
from tests.stream.fake_cpu import FakeCpu
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_own_cores_and_the_loops_cores_are_told_apart() -> None:
    """`cores` is the item's own CPU over its wall, `loop_cores` that of everybody on the loop over the same wall."""
    cpu = FakeCpu()
    account, neighbour = Account(cpu), Account(cpu)

    async def burns(seconds: float) -> None:
        for _ in range(10):
            cpu.burn(seconds)
            await asyncio.sleep(0.5)

    async def item() -> Meter:
        meter = Meter(account)
        await burns(0.05)
        return meter

    async with asyncio.TaskGroup() as items:
        items.create_task(charged(burns(0.4), neighbour))
        task = items.create_task(charged(item(), account))
        await asyncio.sleep(5)
    measure = task.result().measure(tokens=100)
    assert measure.wall == pytest.approx(5.0)
    assert measure.cpu == pytest.approx(0.5)
    assert measure.cores == pytest.approx(0.1)
    assert measure.loop_cores == pytest.approx(0.82)
    assert measure.tokens == 100
    assert measure.tok_s == pytest.approx(20.0)


@in_virtual_time
async def test_each_attempt_is_measured_from_its_own_beginning() -> None:
    """An item's second attempt is not charged with the first."""
    cpu = FakeCpu()
    account = Account(cpu)

    async def item() -> list[float]:
        figures = []
        for seconds in (3.0, 1.0):
            meter = Meter(account)
            cpu.burn(seconds)
            await asyncio.sleep(2)
            figures.append(meter.measure(0).cpu)
        return figures

    assert await asyncio.create_task(charged(item(), account)) == [3.0, 1.0]
    assert account.cpu == 4.0


@in_virtual_time
async def test_the_time_to_the_first_token_is_that_of_the_first() -> None:
    """Chunks are counted, the first one sets the time to first token, and each is told the attempt's age."""
    meter = Meter(Account(FakeCpu()))
    ages = []
    for seconds in (1.5, 0.5, 1.0):
        await asyncio.sleep(seconds)
        ages.append(meter.content())
    measure = meter.measure(tokens=3)
    assert (measure.ttft, measure.chunks, measure.wall, measure.tok_s) == (1.5, 3, 3.0, 1.0)
    assert ages == [1.5, 2.0, 3.0]
    assert repr(meter) == "<Meter 3.00 s, 3 chunks>"


@in_virtual_time
async def test_an_attempt_that_took_no_time_has_no_rates() -> None:
    """Nothing is divided by zero; without a streamed token there is no time to one."""
    measure = Meter(Account(FakeCpu())).measure(tokens=5)
    assert (measure.wall, measure.cores, measure.loop_cores, measure.tok_s, measure.ttft) == (0.0, 0.0, 0.0, 0.0, None)
