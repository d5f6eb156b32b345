"""The waiting beside the read, in virtual time: who ends an attempt, when, and under which name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.watch import Watch
from tests import virtual_time
from tests.virtual_time import START, NothingWillHappen, in_virtual_time, run_virtual

LIMITS = ClockLimits()


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def bring(watch: Watch, *, every: float, times: int, progress: bool) -> None:
    """Bytes at a steady pace, with content or without."""
    for _ in range(times):
        await asyncio.sleep(every)
        watch.received()
        if progress:
            watch.progressed()


async def end_of(body: Callable[[Watch], Awaitable[None]], limits: ClockLimits = LIMITS) -> tuple[Cause, float]:
    """Which clock ends the body, and when."""
    try:
        async with Watch(limits) as watch:
            await body(watch)
    except AttemptFailed as failed:
        return failed.failure.cause, now()
    raise AssertionError("no clock has ended it")


@in_virtual_time
async def test_an_answer_that_never_begins_is_ended() -> None:
    """F1: nothing arrives and nothing is raised, and yet it ends, after 120 s."""

    async def body(_: Watch) -> None:
        await wait_for_ever()

    assert await end_of(body) == (Cause.FIRST_BYTE, 120)


@in_virtual_time
async def test_connecting_is_not_waiting_for_an_answer() -> None:
    """F1: however long the connection took, the first byte has its 120 s."""

    async def body(watch: Watch) -> None:
        watch.connecting()
        await asyncio.sleep(300)
        watch.connected()
        await wait_for_ever()

    assert await end_of(body) == (Cause.FIRST_BYTE, 420)


@in_virtual_time
async def test_a_connection_in_the_making_is_bounded_by_the_total_clock() -> None:
    """Even if the transport's own connect clock were broken."""

    async def body(watch: Watch) -> None:
        watch.connecting()
        await wait_for_ever()

    assert await end_of(body) == (Cause.TOO_LONG, 3600)


@pytest.mark.parametrize("progress", [True, False], ids=["content", "pings"])
@in_virtual_time
async def test_a_dead_stream_ends_though_nothing_ever_arrives(progress: bool) -> None:
    """F2: the idle clock runs beside the read; any byte resets it, pings too; after the last one it has 60 s."""

    async def body(watch: Watch) -> None:
        await bring(watch, every=59, times=8, progress=progress)
        await wait_for_ever()

    assert await end_of(body) == (Cause.SILENT, 59 * 8 + 60)


@in_virtual_time
async def test_the_first_byte_arms_the_idle_clock() -> None:
    """F2: with a first-byte clock that would run for longer, silence after the first byte is noticed in time."""

    async def body(watch: Watch) -> None:
        await bring(watch, every=1, times=1, progress=True)
        await wait_for_ever()

    assert await end_of(body, ClockLimits(first_byte=500)) == (Cause.SILENT, 61)


@in_virtual_time
async def test_a_longer_idle_clock_waits_longer() -> None:
    """F2: what fell silent twice gets 135 s the third time."""

    async def body(watch: Watch) -> None:
        watch.received()
        await wait_for_ever()

    assert await end_of(body, LIMITS.after_idle_retries(2)) == (Cause.SILENT, 135)


@in_virtual_time
async def test_pings_alone_are_ended() -> None:
    """F3: 600 s after the last event that was no ping."""

    async def body(watch: Watch) -> None:
        await bring(watch, every=10, times=3, progress=True)
        await bring(watch, every=10, times=10_000, progress=False)

    assert await end_of(body) == (Cause.STALLED, 630)


@in_virtual_time
async def test_an_endless_drip_is_ended() -> None:
    """F4: an hour after the attempt began."""

    async def body(watch: Watch) -> None:
        await bring(watch, every=10, times=10_000, progress=True)

    assert await end_of(body) == (Cause.TOO_LONG, 3600)


@in_virtual_time
async def test_an_answer_in_time_is_left_alone() -> None:
    """No clock runs out on a stream that is slow and alive."""
    async with Watch(LIMITS) as watch:
        await bring(watch, every=119, times=1, progress=True)
        await bring(watch, every=59, times=50, progress=True)
    assert now() == 119 + 59 * 50


@in_virtual_time
async def test_while_it_is_suspended_no_clock_runs() -> None:
    """F5: an hour of our own doing counts for nothing, and what was left before is left afterwards."""

    async def body(watch: Watch) -> None:
        watch.received()
        await asyncio.sleep(50)
        with watch.suspended():
            await asyncio.sleep(4000)
        await wait_for_ever()

    assert await end_of(body) == (Cause.SILENT, 4060)


@in_virtual_time
async def test_a_suspension_that_is_cut_short_sets_the_clocks_again() -> None:
    """Whatever ends the wait, the provider is watched afterwards."""

    async def body(watch: Watch) -> None:
        async def cut_short() -> None:
            async with asyncio.timeout(5):
                with watch.suspended():
                    await wait_for_ever()

        with pytest.raises(TimeoutError):
            await cut_short()
        await wait_for_ever()

    assert await end_of(body) == (Cause.FIRST_BYTE, 125)


@in_virtual_time
async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    """A drain or a signal is no clock."""

    async def attempt() -> None:
        async with Watch(LIMITS):
            await wait_for_ever()

    task = asyncio.create_task(attempt())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 5


@in_virtual_time
async def test_cancellation_at_the_very_moment_of_a_clock_stays_a_cancellation() -> None:
    """Whoever stops the run is obeyed, even if a clock runs out in the same turn of the loop."""

    async def attempt() -> None:
        async with Watch(LIMITS):
            await wait_for_ever()

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(attempt())
    await asyncio.sleep(0)
    loop.call_at(START + LIMITS.first_byte, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == LIMITS.first_byte


@in_virtual_time
async def test_a_timeout_around_the_attempt_is_not_taken_for_a_clock() -> None:
    """The engine's own cut-off passes through."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30), Watch(LIMITS):
            await wait_for_ever()
    assert now() == 30


@pytest.mark.parametrize("error", [ValueError("ours"), TimeoutError("ours"), AttemptFailed(Failure(Cause.BROKEN, "x"))])
def test_an_exception_of_the_body_passes_unchanged(error: Exception) -> None:
    """What failed for its own reasons keeps them."""

    async def attempt() -> None:
        async with Watch(LIMITS) as watch:
            watch.received()
            await asyncio.sleep(1)
            raise error

    with pytest.raises(type(error)) as caught:
        run_virtual(attempt())
    assert caught.value is error


@in_virtual_time
async def test_bytes_that_come_as_the_clock_strikes_do_not_rename_the_failure() -> None:
    """The clock that ran out is the one that is told, although the deadline has moved by the time the body ends."""
    loop = asyncio.get_running_loop()
    first_byte: asyncio.Future[None] = loop.create_future()
    # Before the watch sets its own timer for the same moment, so that the body is woken first.
    loop.call_at(START + LIMITS.first_byte, first_byte.set_result, None)

    async def body(watch: Watch) -> None:
        await first_byte
        watch.received()
        await wait_for_ever()

    assert await end_of(body) == (Cause.FIRST_BYTE, 120)


@pytest.mark.parametrize("ending", ["well", "cancelled by a clock", "with an error"])
def test_no_timer_is_left_behind(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the attempt nothing of its watch is left in the loop, which would hold its memory for an hour."""
    monkeypatch.setattr(virtual_time, "PATIENCE", 0.0)
    moments: list[Callable[[], float]] = []

    async def attempt_and_wait() -> None:
        try:
            async with Watch(LIMITS) as watch:
                watch.connecting()
                watch.connected()
                await bring(watch, every=1, times=3, progress=True)
                if ending == "with an error":
                    raise ValueError
                if ending == "cancelled by a clock":
                    await wait_for_ever()
        except (AttemptFailed, ValueError):
            pass
        end = asyncio.get_running_loop().time()
        moments.extend([lambda: end, asyncio.get_running_loop().time])
        await wait_for_ever()  # without a timer this is told instead of waited for, and no time passes

    with pytest.raises(NothingWillHappen):
        run_virtual(attempt_and_wait())
    ended, gave_up = moments
    assert gave_up() == ended()


@in_virtual_time
async def test_a_watch_ends_one_attempt_and_not_the_task() -> None:
    """The task goes on: the next attempt begins in it."""

    async def body(_: Watch) -> None:
        await wait_for_ever()

    for nth in (1, 2, 3):
        assert await end_of(body) == (Cause.FIRST_BYTE, nth * 120)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(1)
    assert now() == 361


@in_virtual_time
async def test_a_watch_tells_what_will_end_it() -> None:
    """Its repr fits a log line."""
    async with Watch(LIMITS) as watch:
        assert repr(watch) == "<Watch first_byte in 120.0 s>"
