"""Who may run, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.gate.people import Queue, gate, give_back, slot_of
from tests.virtual_time import START, in_virtual_time, run_virtual, settle

# -- order -------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_as_many_run_as_there_are_slots() -> None:
    """The rest waits, in the order in which it came."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(2), group)
        await queue.ask("a", "b", "c", "d")
        assert queue.admitted == ["a", "b"]
        assert (queue.gate.in_flight, queue.gate.waiting) == (2, 2)
        await queue.leave("b")
        assert queue.admitted == ["a", "b", "c"]
        await queue.leave("a", "c", "d")
        assert queue.admitted == ["a", "b", "c", "d"]
    assert (queue.gate.in_flight, queue.gate.waiting) == (0, 0)


@in_virtual_time
async def test_who_asks_again_goes_first() -> None:
    """An item that was begun is ended before a new one is begun; among themselves both keep their order."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("running", "first 1", "first 2")
        await queue.ask("again 1", "again 2", again=True)
        for name in ("running", "again 1", "again 2", "first 1", "first 2"):
            assert queue.admitted[-1] == name
            await queue.leave(name)


@in_virtual_time
async def test_a_slot_is_given_back_by_an_error_too() -> None:
    """Whatever ends the attempt."""
    a_gate = gate(1)
    with pytest.raises(LookupError), await slot_of(a_gate):
        raise LookupError
    assert a_gate.in_flight == 0


# -- resizing ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_growing_admits_at_once() -> None:
    """Nobody waits for somebody to leave where there is room now."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("a", "b", "c", "d")
        queue.gate.resize(3)
        await settle()
        assert queue.admitted == ["a", "b", "c"]
        await queue.leave_all()


@in_virtual_time
async def test_shrinking_lets_running_work_finish() -> None:
    """Nobody is thrown out; nobody comes in until enough have left."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(3), group)
        await queue.ask("a", "b", "c", "d")
        queue.gate.resize(1)
        await queue.leave("a")
        await queue.leave("b")
        assert (queue.admitted, queue.gate.in_flight) == (["a", "b", "c"], 1)
        await queue.leave("c")
        assert queue.admitted[-1] == "d"
        await queue.leave("d")


# -- cancellation ------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_who_is_cancelled_while_waiting_leaves_no_trace() -> None:
    """The next in line gets the slot."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("running", "gone", "next")
        queue.tasks["gone"].cancel()
        await settle()
        assert queue.gate.waiting == 1
        await queue.leave("running")
        assert queue.admitted == ["running", "next"]
        await queue.leave("next")


@pytest.mark.parametrize("order", ["admitted, then cancelled", "cancelled, then admitted"])
def test_who_is_cancelled_in_the_turn_of_admission_loses_no_slot(order: str) -> None:
    """The slot was already given, or just about to be: the next in line gets it."""

    async def cancelled_at_the_door() -> None:
        async with asyncio.TaskGroup() as group:
            a_gate = gate(1)
            queue = Queue(a_gate, group)
            slot = await slot_of(a_gate)
            await queue.ask("gone", "next")
            # No await between the two: both happen before the waiting task can run.
            steps: list[Callable[[], object]] = [lambda: give_back(slot), queue.tasks["gone"].cancel]
            for step in steps if order.startswith("admitted") else reversed(steps):
                step()
            await settle()
            assert (queue.admitted, a_gate.in_flight) == (["next"], 1)
            await queue.leave("next")
            assert a_gate.in_flight == 0

    run_virtual(cancelled_at_the_door())


@in_virtual_time
async def test_a_slot_given_back_by_the_cancelled_is_open_to_newcomers() -> None:
    """With nobody else in line the gate is simply free again."""
    a_gate = gate(1)
    slot = await slot_of(a_gate)
    waiter = asyncio.ensure_future(a_gate.admit())
    await settle()
    give_back(slot)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert (a_gate.in_flight, a_gate.waiting) == (0, 0)
    assert await a_gate.admit() is not None


# -- closing -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_closed_gate_turns_everybody_away() -> None:
    """Those who wait and those who come; those who run, run to their end, and their slots come back."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("running", "first")
        await queue.ask("again", again=True)
        queue.gate.close()
        await queue.ask("late")
        assert sorted(queue.turned_away) == ["again", "first", "late"]
        assert (queue.gate.in_flight, queue.gate.waiting) == (1, 0)
        queue.gate.close()
        await queue.leave("running")
        assert queue.gate.in_flight == 0


@in_virtual_time
async def test_closing_ends_a_hold_for_those_who_wait() -> None:
    """A drain does not wait out a rate limit."""
    a_gate = gate(1)
    a_gate.hold(3600)
    waiter = asyncio.ensure_future(a_gate.admit())
    await settle()
    a_gate.close()
    assert await waiter is None
    assert asyncio.get_running_loop().time() == START


@in_virtual_time
async def test_who_was_admitted_in_the_turn_of_closing_may_run() -> None:
    """A slot that was given is given."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("running", "next")
        queue._leave["running"].set()  # noqa: SLF001 - without settling
        await asyncio.sleep(0)
        queue.gate.close()
        await settle()
        assert (queue.admitted, queue.turned_away) == (["running", "next"], [])
        await queue.leave("next")


# -- figures -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_usage_is_that_of_the_period() -> None:
    """The most at once, and how many were given back since the last look; a look begins the next period with what is in
    flight."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(5), group)
        await queue.ask("a", "b", "c")
        await queue.leave("a", "b")
        told = [queue.gate.take_usage(), queue.gate.take_usage()]
        await queue.leave("c")
        told += [queue.gate.take_usage(), queue.gate.take_usage()]
        assert [(usage.peak, usage.ended) for usage in told] == [(3, 2), (1, 0), (1, 1), (0, 0)]


@in_virtual_time
async def test_the_mean_counts_each_slot_for_as_long_as_it_was_taken() -> None:
    """Three for a second and one for three are a mean of one and a half; without any time, what is taken now."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(5), group)
        await queue.ask("a", "b", "c")
        assert queue.gate.take_usage().mean == 3
        await asyncio.sleep(1)
        await queue.leave("a", "b")
        await asyncio.sleep(3)
        assert queue.gate.take_usage().mean == pytest.approx(1.5)
        await queue.leave("c")


def test_a_gate_shows_how_it_stands_in_one_line() -> None:
    """For the log."""

    async def shows() -> str:
        a_gate = gate(3)
        await a_gate.admit()
        return repr(a_gate)

    assert run_virtual(shows()) == "<Gate claude 1/3, 0 waiting>"
