"""One backend in a run: its gate obeys the law within its bounds, and the operator at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from batchrun.failure import Cause, Failure
from batchrun.gate.law import Decision, GateBounds, LimitedBy, Observation, Signals
from batchrun.gate.load import Load
from batchrun.gate.memory import Memory
from batchrun.gate.slots import Gate
from batchrun.gate.truce import STRAYS_UNSURE
from batchrun.gate.usage import Company, Usage
from batchrun.journal.control import Tuning
from batchrun.lane import GateTerms, Lane
from batchrun.stream.clocks import ClockLimits
from tests.fakes import ScriptedProvider, Step
from tests.virtual_time import in_virtual_time, settle

USAGE, COMPANY = Usage(3, 2.5, 1, answering=2), Company(5.0, 2, 12.0)
CALM = Load(10.0, 10.0, 5.0, 50.0, None, None, 10)


def silent(prompt: str, seen: int) -> Sequence[Step]:
    return []


def lane(**bounds: float) -> Lane:
    """A lane by a provider that nobody asks."""
    now = asyncio.get_running_loop().time
    return Lane.open("local", ScriptedProvider(silent), GateTerms(GateBounds(**bounds)), now)  # type: ignore[arg-type]


@pytest.mark.parametrize(("least", "most", "first"), [(1, 256, 8), (1, 3, 3), (12, 256, 12)])
@in_virtual_time
async def test_a_gate_begins_within_its_bounds(least: int, most: int, first: int) -> None:
    """At what a small machine bears, unless the bounds say otherwise."""
    assert lane(min_slots=least, max_slots=most).gate.limit == first


@in_virtual_time
async def test_the_law_is_asked_and_obeyed() -> None:
    """It is told the load, how the slots were used, the bounds, and what it wanted to be reminded of; the gate takes
    the limit, the view its reason."""
    seen: list[tuple[int, Observation, GateBounds]] = []
    remembered: list[Memory] = []

    def law(limit: int, observation: Observation, bounds: GateBounds, memory: Memory) -> Decision:
        seen.append((limit, observation, bounds))
        remembered.append(memory)
        return Decision(5, LimitedBy.CPU, "so said the law", memory._replace(ended=memory.ended + 1))

    bounds = GateBounds(max_slots=9)
    gate = Gate("local", 4, asyncio.get_running_loop().time)
    ruled = Lane(ScriptedProvider(silent), GateTerms(bounds, law=law), gate)
    slots = [await gate.admit() for _ in range(3)]
    ruled.rule(CALM, USAGE, COMPANY)
    observation = Observation(
        10.0,
        10,
        3,
        is_held=False,
        in_flight=2.5,
        ended=1,
        answering=2,
        share=0.5,
        gates=2,
        lag_ms=12.0,
        signals=Signals(host=10.0, own=10.0),
    )
    assert seen == [(4, observation, bounds)]
    ruled.rule(CALM, USAGE, COMPANY)
    assert [memory.ended for memory in remembered] == [0, 1]
    assert ruled.view() == {
        "slots": 5,
        "in_flight": len(slots),
        "waiting": 0,
        "min_slots": 1,
        "max_slots": 9,
        "limited_by": "cpu",
        "reason": "so said the law",
    }


@in_virtual_time
async def test_a_tuned_gate_obeys_at_once() -> None:
    """Not by the law's steps; the next decision of the law keeps within the new bounds."""
    tuned = lane(min_slots=6)
    assert tuned.tune(Tuning(max_slots=2))
    assert (tuned.gate.limit, tuned.view()["tuned"]) == (2, {"max_slots": 2})
    tuned.rule(CALM, USAGE, COMPANY)
    assert tuned.gate.limit == 2
    assert tuned.tune(Tuning(min_slots=20))
    assert tuned.gate.limit == 20


@in_virtual_time
async def test_the_bound_that_was_asked_for_holds() -> None:
    """Where the other one stands in its way, that one yields."""
    tuned = lane(min_slots=4, max_slots=8)
    tuned.tune(Tuning(max_slots=2))
    assert (tuned.bounds.min_slots, tuned.bounds.max_slots) == (2, 2)
    tuned.tune(Tuning(min_slots=10))
    assert (tuned.bounds.min_slots, tuned.bounds.max_slots) == (10, 10)


@in_virtual_time
async def test_what_is_not_asked_any_more_is_as_the_run_was_started() -> None:
    """A tuning is no step from the last one, but from the run's own bounds."""
    tuned = lane(max_slots=8)
    tuned.tune(Tuning(target_cpu=40.0, max_slots=2))
    tuned.tune(Tuning(target_cpu=40.0))
    assert tuned.bounds == GateBounds(target_cpu=40.0, max_slots=8)


@in_virtual_time
async def test_another_law_is_obeyed_from_the_next_period_on() -> None:
    """Until it is not asked for any more; what is not among the laws changes nothing."""
    tuned = lane(max_slots=40)
    tuned.tune(Tuning(law="steady"))
    slots = [await tuned.gate.admit() for _ in range(8)]
    busy = replace(CALM, cpu=95.0, cpu_ewma=95.0)
    tuned.rule(busy, Usage(len(slots), 8.0, 0, answering=8), COMPANY)
    assert tuned.gate.limit == 7
    tuned.tune(Tuning(law="none of ours"))
    tuned.rule(CALM, USAGE, COMPANY)
    assert tuned.gate.limit == 7


@in_virtual_time
async def test_new_terms_hold_at_once_and_what_was_tuned_stays_on_top() -> None:
    """The settings were read again: other bounds, other clocks."""
    taught = lane(max_slots=8)
    taught.tune(Tuning(max_slots=4))
    clocks = ClockLimits(idle=9.0)
    taught.take(GateTerms(GateBounds(target_cpu=40.0, min_slots=2, max_slots=6), clocks))
    assert taught.bounds == GateBounds(target_cpu=40.0, min_slots=2, max_slots=4)
    assert taught.clocks == clocks
    taught.tune(Tuning())
    assert taught.bounds.max_slots == 6


@in_virtual_time
async def test_the_same_again_is_no_news() -> None:
    """The law's own way is not disturbed each period."""
    tuned = lane()
    assert not tuned.tune(Tuning())
    assert tuned.tune(Tuning(max_slots=100))
    tuned.rule(CALM, USAGE, COMPANY)
    tuned.gate.resize(11)
    assert not tuned.tune(Tuning(max_slots=100))
    assert tuned.gate.limit == 11


@in_virtual_time
async def test_a_paused_gate_admits_nobody_until_it_is_resumed() -> None:
    """What waits is admitted then; the view says why it waits."""
    tuned = lane(max_slots=1)
    tuned.tune(Tuning(paused=True))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(tuned.gate.admit())
        await settle()
        assert not waiting.done()
        view = tuned.view()
        assert (view["limited_by"], view["reason"]) == ("paused", "paused by batchrun tune")
        tuned.tune(Tuning(paused=False))
    assert waiting.result() is not None
    assert tuned.view()["limited_by"] != "paused"


@in_virtual_time
async def test_a_held_gate_says_how_long() -> None:
    """The provider's wait comes before what the law said last."""
    held = lane()
    held.gate.hold(30.0)
    view = held.view()
    assert (view["limited_by"], view["reason"]) == ("rate_limit", "the provider asks to wait 30 s")


@in_virtual_time
async def test_a_gate_that_this_machine_cannot_bear_shrinks_but_never_below_its_least() -> None:
    """Too many open files: no more than were borne."""
    shrunk = lane(min_slots=2, max_slots=100)
    slots = [await shrunk.gate.admit() for _ in range(5)]
    shrunk.shrink()
    assert 2 <= shrunk.gate.limit <= len(slots)
    alone = lane(min_slots=2, max_slots=100)
    alone.shrink()
    assert alone.gate.limit == 2


@pytest.mark.parametrize(("in_flight", "strays", "cuts"), [(8, 0, True), (5, 0, False), (8, STRAYS_UNSURE, False)])
@in_virtual_time
async def test_a_rate_limit_takes_a_slot_only_where_their_number_may_be_too_much(
    in_flight: int, strays: int, cuts: bool
) -> None:
    """Fewer than were borne a moment ago are not, and a provider that is full refuses whoever comes, however few."""
    cut = lane()
    _slots = [await cut.gate.admit() for _ in range(in_flight)]
    for now in range(strays + 1):
        cut.traffic.pace.sent(float(now))
        cut.traffic.pace.refused(float(now), float(now), 0.0)
    cut.failed(Failure(Cause.RATE_LIMITED, "too many"), "a", 20.0, 20.0)
    assert cut.gate.limit == GateBounds().start_slots - cuts
