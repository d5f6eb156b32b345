"""Who may run, and in which order: in virtual time, so that an hour's hold is over at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.gate.slots import Gate, Slot
from tests.virtual_time import START, in_virtual_time, run_virtual, settle


def gate(limit: int) -> Gate:
    return Gate("claude", limit, asyncio.get_running_loop().time)


async def slot_of(a_gate: Gate) -> Slot:
    slot = await a_gate.admit()
    assert slot is not None
    return slot


def give_back(slot: Slot) -> None:
    with slot:
        pass


class Queue:
    """People before a gate: who asks gets in turn, and stays until told to leave."""

    def __init__(self, a_gate: Gate, group: asyncio.TaskGroup) -> None:
        self.gate = a_gate
        self.admitted: list[str] = []
        self.turned_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._group = group
        self._leave: dict[str, asyncio.Event] = {}

    async def ask(self, *names: str, again: bool = False) -> None:
        for name in names:
            self._leave[name] = asyncio.Event()
            self.tasks[name] = self._group.create_task(self._stay(name, again))
        await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
        await settle()

    async def leave_all(self) -> None:
        await self.leave(*self._leave)

    async def _stay(self, name: str, again: bool) -> None:
        slot = await self.gate.admit(again=again)
        if slot is None:
            self.turned_away.append(name)
            return
        with slot:
            self.admitted.append(name)
            await self._leave[name].wait()


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
async def test_a_newcomer_never_overtakes_who_waits() -> None:
    """A slot that becomes free goes to the queue, even if somebody asks in the very same turn."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(1), group)
        await queue.ask("running", "waits")
        queue.tasks["newcomer"] = group.create_task(queue._stay("newcomer", again=False))  # noqa: SLF001 - no settling
        queue._leave["newcomer"] = asyncio.Event()  # noqa: SLF001
        await queue.leave("running")
        assert queue.admitted == ["running", "waits"]
        await queue.leave_all()


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


# -- holds -------------------------------------------------------------------------------------------------------------


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
async def test_the_peak_is_that_of_the_period() -> None:
    """The most at once since the last look; a look begins the next period with what is in flight."""
    async with asyncio.TaskGroup() as group:
        queue = Queue(gate(5), group)
        await queue.ask("a", "b", "c")
        await queue.leave("a", "b")
        assert queue.gate.take_peak() == 3
        assert queue.gate.take_peak() == 1
        await queue.leave("c")
        assert queue.gate.take_peak() == 1
        assert queue.gate.take_peak() == 0


def test_a_gate_shows_how_it_stands_in_one_line() -> None:
    """For the log."""

    async def shows() -> str:
        a_gate = gate(3)
        await a_gate.admit()
        return repr(a_gate)

    assert run_virtual(shows()) == "<Gate claude 1/3, 0 waiting>"


# -- whatever happens --------------------------------------------------------------------------------------------------


class WatchedGate(Gate):
    """Looks at each admission at its very moment."""

    admissions = 0

    def _take(self) -> None:
        assert self.in_flight < self.limit
        assert not self.is_held
        self.admissions += 1
        super()._take()


@pytest.mark.parametrize("seed", range(12))
def test_the_limit_holds_and_nobody_is_forgotten_under_any_interleaving(seed: int) -> None:
    """Two hundred people who come, stay, come again and are cancelled, while the gate is resized and held at random:
    nobody enters above the limit or during a hold, and at the end every slot is back and everybody was served."""
    run_virtual(_bustle(random.Random(seed)))


async def _bustle(dice: random.Random) -> None:
    a_gate = WatchedGate("claude", 3, asyncio.get_running_loop().time)
    ends: list[str] = []
    entered = 0

    async def comes() -> None:
        nonlocal entered
        try:
            await asyncio.sleep(dice.random() * 100)
            for turn in range(dice.randrange(1, 4)):
                slot = await a_gate.admit(again=turn > 0)
                assert slot is not None
                with slot:
                    entered += 1
                    await asyncio.sleep(dice.choice([0, 0, 0.5, dice.random() * 5]))
            ends.append("served")
        except asyncio.CancelledError:
            ends.append("cancelled")

    async with asyncio.TaskGroup() as group:
        people = [group.create_task(comes()) for _ in range(200)]
        for _ in range(300):
            await asyncio.sleep(dice.choice([0, dice.random()]))
            match dice.randrange(5):
                case 0:
                    a_gate.resize(dice.randrange(1, 8))
                case 1:
                    a_gate.hold(dice.random() * 3)
                case 2:
                    dice.choice(people).cancel()
    assert (a_gate.in_flight, a_gate.waiting) == (0, 0)
    assert len(ends) == 200
    assert ends.count("served") > 100
    # Some were admitted and cancelled before they could enter; nobody entered without having been admitted.
    assert 200 < entered <= a_gate.admissions
