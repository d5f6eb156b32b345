"""The clock that other tests trust."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import START, NothingWillHappen, in_virtual_time, run_virtual, settle


def test_a_night_passes_in_no_time() -> None:
    """Eight hours of sleep take the loop's clock eight hours on and the wall's hardly at all."""

    async def sleeps() -> float:
        await asyncio.sleep(8 * 3600)
        return asyncio.get_running_loop().time()

    before = time.monotonic()
    assert run_virtual(sleeps()) == START + 8 * 3600
    assert time.monotonic() - before < 1


@in_virtual_time
async def test_timers_fire_in_their_order_and_at_their_moment() -> None:
    """Who sleeps longer wakes later, whoever began first."""
    loop = asyncio.get_running_loop()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, loop.time() - START))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 3.5))
        group.create_task(sleeper("early", 0.25))
        group.create_task(sleeper("middle", 2.0))
    assert woken == [("early", 0.25), ("middle", 2.0), ("late", 3.5)]


@in_virtual_time
async def test_settling_takes_no_time() -> None:
    """Whatever is ready runs; the clock stands."""
    steps: list[int] = []

    async def steps_on() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)
        await asyncio.sleep(1)
        steps.append(99)

    async with asyncio.TaskGroup() as group:
        group.create_task(steps_on())
        await settle()
        assert steps == [0, 1, 2, 3, 4]
        assert asyncio.get_running_loop().time() == START


def test_a_hang_is_told_instead_of_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """When everybody waits and no timer is set, the run ends with an error."""
    monkeypatch.setattr("tests.virtual_time.PATIENCE", 0.0)

    async def hangs() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingWillHappen):
        run_virtual(hangs())


def test_a_timeout_is_a_timer_like_any_other() -> None:
    """`asyncio.timeout` ends a wait at its virtual moment."""

    async def times_out() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(times_out()) == START + 600
