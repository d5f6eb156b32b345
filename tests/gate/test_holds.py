"""Nobody is admitted while the provider asks to wait: in virtual time, so that an hour's hold is over at once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.gate.slots import Gate
from tests.gate.people import Queue, gate
from tests.virtual_time import START, in_virtual_time, run_virtual, settle


@in_virtual_time
async def test_a_hold_admits_nobody_and_ends_by_itself() -> None:
    """Free slots or not; who runs, runs on; to the second."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(2), group)
        await queue.ask("running")
        queue.gate.hold(30)
        await queue.ask("waits")
        queue.gate.resize(5)
        await queue.leave("running")
        assert (queue.admitted, queue.gate.is_held, queue.gate.held_seconds) == (["running"], True, 30)
        await asyncio.sleep(29.999)
        assert queue.admitted == ["running"]
        await asyncio.sleep(0.002)
        assert queue.admitted == ["running", "waits"]
        assert (queue.gate.is_held, queue.gate.held_seconds) == (False, 0)
        assert loop.time() == pytest.approx(START + 30.001)
        await queue.leave_all()


@given(st.lists(st.floats(0.001, 100_000), min_size=1, max_size=6))
def test_the_longest_hold_counts(holds: list[float]) -> None:
    """A shorter hold never cuts a longer one, whichever comes first; and each hold ends, whatever its length."""

    async def waits_it_out() -> float:
        a_gate = gate(1)
        for seconds in holds:
            a_gate.hold(seconds)
        assert await a_gate.admit() is not None
        return asyncio.get_running_loop().time()

    assert run_virtual(waits_it_out()) == pytest.approx(START + max(holds))


@in_virtual_time
async def test_a_hold_ends_though_its_timer_comes_a_tick_early() -> None:
    """A loop runs what is due within the resolution of its clock; it will not come a second time."""
    moment = 0.0
    a_gate = Gate("claude", 1, lambda: moment)
    a_gate.hold(10)
    moment = 10 - 1e-9
    assert a_gate.is_held
    assert await a_gate.admit() is not None


@in_virtual_time
async def test_a_newcomer_never_overtakes_who_waited_out_the_hold() -> None:
    """Not even in the moment when the hold is over and those who waited have not been called yet."""
    moment = 0.0
    async with asyncio.TaskGroup() as group:
        queue = Queue(Gate("claude", 1, lambda: moment), group)
        queue.gate.hold(10)
        await queue.ask("waits")
        moment = 10.0
        assert not queue.gate.is_held
        await queue.ask("newcomer")
        assert "newcomer" not in queue.admitted
        await asyncio.sleep(10)
        await queue.leave("waits")
        assert queue.admitted == ["waits", "newcomer"]
        await queue.leave("newcomer")


@in_virtual_time
async def test_a_later_hold_goes_on_where_it_ends_later() -> None:
    """A second 429 in the middle of a wait may lengthen it."""
    a_gate = gate(1)
    a_gate.hold(10)
    await asyncio.sleep(8)
    a_gate.hold(1)
    assert a_gate.held_seconds == pytest.approx(2)
    a_gate.hold(10)
    assert a_gate.held_seconds == pytest.approx(10)
    await a_gate.admit()
    assert asyncio.get_running_loop().time() == pytest.approx(START + 18)


@in_virtual_time
async def test_the_end_of_a_hold_keeps_the_limit() -> None:
    """A herd that waited comes in by as many as there are slots."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(2), group)
        queue.gate.hold(60)
        await queue.ask(*"abcde")
        await asyncio.sleep(60)
        await settle()
        assert queue.admitted == ["a", "b"]
        await queue.leave_all()
