"""Who is charged for what: an item for its own steps, nobody for his neighbour's."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from batchrun.stream.meter import Account, Meter, charged
from tests.virtual_time import in_virtual_time, settle


class FakeCpu:
    """A CPU clock that runs only when somebody burns."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def burn(self, seconds: float) -> None:
        self.now += seconds


def burn_for_real(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


# -- what an item is charged -----------------------------------------------------------------------------------


@in_virtual_time
async def test_the_heavy_item_is_found_in_its_own_figure_and_in_no_neighbours() -> None:
    """Twenty in flight at once, one of them heavy: to the last digit each pays for its own steps."""
    cpu = FakeCpu()
    accounts = [Account(cpu) for _ in range(20)]

    async def item(seconds_a_step: float) -> None:
        for _ in range(10):
            cpu.burn(seconds_a_step)
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as items:
        for nth, account in enumerate(accounts):
            items.create_task(charged(item(0.25 if nth == 13 else 0.0), account))
    assert [account.cpu for account in accounts] == [2.5 if nth == 13 else 0.0 for nth in range(20)]


async def test_the_heavy_item_is_found_on_the_real_clock_too() -> None:
    """The same with the thread's own CPU clock and loops that burn; the heavy one dwarfs the others together."""
    accounts = [Account() for _ in range(20)]

    async def item(seconds_a_step: float) -> None:
        for _ in range(5):
            burn_for_real(seconds_a_step)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as items:
        for nth, account in enumerate(accounts):
            items.create_task(charged(item(0.008 if nth == 13 else 0.0), account))
    heavy = accounts.pop(13).cpu
    assert 0.04 <= heavy < 0.08
    assert sum(account.cpu for account in accounts) < heavy / 2


@in_virtual_time
async def test_what_runs_between_the_steps_is_charged_to_nobody() -> None:
    """Callbacks of the loop and tasks of others are not the item's."""
    cpu = FakeCpu()
    account = Account(cpu)
    asyncio.get_running_loop().call_later(0.5, cpu.burn, 7.0)

    async def item() -> None:
        cpu.burn(1.0)
        await asyncio.sleep(1)
        cpu.burn(2.0)

    await asyncio.create_task(charged(item(), account))
    assert account.cpu == 3.0
    assert cpu.now == 60.0


@in_virtual_time
async def test_an_account_can_be_read_in_mid_step() -> None:
    """The running step counts; between steps the clock may run as it likes."""
    cpu = FakeCpu()
    account = Account(cpu)
    seen: list[float] = []

    async def item() -> None:
        cpu.burn(1.0)
        seen.append(account.read())
        await asyncio.sleep(1)
        cpu.burn(2.0)
        seen.append(account.read())

    task = asyncio.create_task(charged(item(), account))
    await settle()
    cpu.burn(100.0)
    assert account.read() == 1.0
    await task
    assert seen == [1.0, 3.0]
    assert repr(account) == "<Account 3.000000 s>"


@in_virtual_time
async def test_a_step_that_fails_is_charged() -> None:
    """CPU that was burnt before an exception was burnt."""
    cpu = FakeCpu()
    account = Account(cpu)

    async def item() -> None:
        cpu.burn(1.0)
        raise ValueError("after the work")

    with pytest.raises(ValueError, match="after the work"):
        await asyncio.create_task(charged(item(), account))
    assert account.read() == 1.0


@in_virtual_time
async def test_a_step_that_is_woken_by_an_exception_is_charged() -> None:
    """What an item burns in answer to a cancellation or to a failed wait is its own too."""
    cpu = FakeCpu()
    account = Account(cpu)

    async def item() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            cpu.burn(4.0)

    task = asyncio.create_task(charged(item(), account))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert account.cpu == 4.0


# -- a charged coroutine is a coroutine like any other -------------------------------------------------------------


Runner = Callable[[], Awaitable[object]]


@in_virtual_time
async def test_the_result_is_handed_on() -> None:
    """As a task, and awaited in place."""

    async def item() -> str:
        await asyncio.sleep(1)
        return "done"

    assert await asyncio.create_task(charged(item(), Account())) == "done"
    assert await charged(item(), Account()) == "done"


@in_virtual_time
async def test_what_it_awaits_for_answers_it() -> None:
    """Results and exceptions of futures reach the place that waits for them."""
    loop = asyncio.get_running_loop()
    good, bad = loop.create_future(), loop.create_future()
    loop.call_later(1, good.set_result, "yes")
    loop.call_later(2, bad.set_exception, KeyError("no"))

    async def item() -> list[object]:
        heard: list[object] = [await good]
        try:
            await bad
        except KeyError as exc:
            heard.append(exc)
        return heard

    heard = await asyncio.create_task(charged(item(), Account()))
    assert heard == ["yes", bad.exception()]


@in_virtual_time
async def test_a_cancellation_reaches_the_place_that_waits() -> None:
    """Clean-up runs, may wait itself, and the task ends as cancelled."""
    steps: list[str] = []

    async def item() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            steps.append("told")
            raise
        finally:
            await asyncio.sleep(1)
            steps.append("cleaned up")

    task = asyncio.create_task(charged(item(), Account()))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert steps == ["told", "cleaned up"]


@in_virtual_time
async def test_a_cancellation_can_be_survived() -> None:
    """A coroutine that answers a cancellation by going on goes on."""

    async def item() -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return "survived"

    task = asyncio.create_task(charged(item(), Account()))
    await asyncio.sleep(5)
    task.cancel()
    assert await task == "survived"


@in_virtual_time
async def test_a_cancellation_before_the_first_step_leaves_no_trace() -> None:
    """A task that is cancelled before it began runs nothing, and nobody complains of a coroutine never awaited."""
    steps: list[str] = []

    async def item() -> None:
        steps.append("ran")

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        task = asyncio.create_task(charged(item(), Account()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
    assert (steps, [str(complaint.message) for complaint in complaints]) == ([], [])


@pytest.mark.parametrize("begun", [True, False])
def test_closing_it_closes_what_it_runs(begun: bool) -> None:
    """GeneratorExit passes: `close()` runs the clean-up, as the interpreter's end would."""
    steps: list[str] = []

    class Suspended:
        def __await__(self):  # type: ignore[no-untyped-def]  # a bare yield is what a future does
            yield

    async def item() -> None:
        try:
            await Suspended()
        except GeneratorExit:
            steps.append("closed")
            raise

    coroutine = charged(item(), Account())
    if begun:
        coroutine.send(None)
    coroutine.close()
    assert steps == (["closed"] if begun else [])


@in_virtual_time
async def test_a_timeout_inside_works() -> None:
    """`asyncio.timeout` cancels the task and takes it back; both pass through."""

    async def item() -> str:
        try:
            async with asyncio.timeout(3):
                await asyncio.sleep(100)
        except TimeoutError:
            return "timed out"
        return "slept"

    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await asyncio.create_task(charged(item(), Account())) == "timed out"
    assert loop.time() - began == 3


@in_virtual_time
async def test_a_task_group_inside_works() -> None:
    """Its tasks are tasks of their own; their failure comes back into the charged coroutine."""

    async def child(seconds: float) -> str:
        await asyncio.sleep(seconds)
        if seconds > 1:
            raise ValueError("a child failed")
        return "grown"

    async def item() -> list[str]:
        async with asyncio.TaskGroup() as group:
            good = group.create_task(child(1))
        heard = [good.result()]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child(2))
                await asyncio.sleep(100)
        except* ValueError as failures:
            heard.extend(str(failure) for failure in failures.exceptions)
        return heard

    assert await asyncio.create_task(charged(item(), Account())) == ["grown", "a child failed"]


@in_virtual_time
async def test_asynchronous_iteration_and_contexts_work_inside() -> None:
    """What a stream is read with."""
    steps: list[object] = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(1)
            yield number

    @asynccontextmanager
    async def room() -> AsyncIterator[None]:
        await asyncio.sleep(1)
        try:
            yield
        finally:
            await asyncio.sleep(1)
            steps.append("left")

    async def item() -> None:
        async with room():
            async for number in numbers():
                steps.append(number)

    await asyncio.create_task(charged(item(), Account()))
    assert steps == [0, 1, 2, "left"]


# -- the measure ---------------------------------------------------------------------------------------------------


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
