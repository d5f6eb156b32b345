"""Each signal by its name: the one that bears the fewest slots limits, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.gate.adaptive import adaptive
from batchrun.gate.cpu import Gauge
from batchrun.gate.law import GateBounds, LimitedBy
from batchrun.gate.memory import START, Memory
from batchrun.gate.reason import REASONS
from batchrun.report.words import LIMITS
from tests.gate.sightings import BOUNDS, seen, settled

CALM = (20.0, 15.0, 20)  # host, own, slots
SLOTS = 20


def loop(busy: float) -> Gauge:
    return Gauge(busy, busy, SLOTS, busy / SLOTS)


TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], LimitedBy, bool]] = {
    # name: what is seen, what is remembered, what limits, and whether slots are taken away
    "the host's CPU": ({"host": 95.0, "own": 90.0}, {"host": Gauge(95.0, 90.0, SLOTS, 4.5)}, LimitedBy.CPU, True),
    "the container's allowance": (
        {"allowance": 95.0, "own_allowance": 95.0},
        {"allowance": Gauge(95.0, 95.0, SLOTS, 4.75)},
        LimitedBy.ALLOWANCE,
        True,
    ),
    "a container that is held back": ({"throttled": 50.0}, {"strains": (50.0, 0.0, 0.0)}, LimitedBy.ALLOWANCE, True),
    "a container that is held back a little": (
        {"throttled": 10.0},
        {"strains": (10.0, 0.0, 0.0)},
        LimitedBy.ALLOWANCE,
        False,
    ),
    "an event loop that is pegged": ({"loop": 100.0}, {"loop": loop(200.0)}, LimitedBy.LOOP, True),
    "an event loop that is late": ({"lag_ms": 500.0}, {"strains": (0.0, 0.0, 500.0)}, LimitedBy.LOOP, True),
    "the wait for a CPU": ({"pressure": 99.0}, {"strains": (0.0, 99.0, 0.0)}, LimitedBy.PRESSURE, True),
    "memory that runs short": ({"free_memory_mb": 50.0, "reserve_mb": 100.0}, {}, LimitedBy.MEMORY, True),
    "memory for nobody else": (
        {"free_memory_mb": 101.0, "reserve_mb": 100.0, "own_memory_mb": 100.0},
        {},
        LimitedBy.MEMORY,
        False,
    ),
    "no more files": ({"free_files": 0}, {}, LimitedBy.FILES, False),
    "the provider's rate": ({"rate_slots": 15.0}, {}, LimitedBy.RATE_LIMIT, False),
    "a provider that asks to wait": ({"is_held": True}, {}, LimitedBy.RATE_LIMIT, False),
    "too few items": ({"in_flight": 3.0}, {}, LimitedBy.JOBS, False),
}


@pytest.mark.parametrize(("told", "remembered", "by", "is_cut"), TABLE.values(), ids=TABLE.keys())
def test_each_signal_limits_alone(
    told: dict[str, Any], remembered: dict[str, Any], by: LimitedBy, is_cut: bool
) -> None:
    """All else being calm: nothing grows, and slots are taken away where it is too much."""
    memory: Memory = settled(*CALM, **remembered)
    decision = adaptive(SLOTS, seen(SLOTS, **({"host": 20.0, "own": 15.0} | told)), BOUNDS, memory)
    assert (decision.limited_by, decision.limit < SLOTS) == (by, is_cut)
    assert decision.limit <= SLOTS


def test_the_lowest_counts() -> None:
    """Where several signals limit, the one that bears the fewest slots is named."""
    memory = settled(*CALM, strains=(0.0, 0.0, 1000.0))
    told = seen(SLOTS, host=20.0, own=15.0, free_memory_mb=80.0, reserve_mb=100.0, lag_ms=1000.0)
    decision = adaptive(SLOTS, told, BOUNDS, memory)
    assert (decision.limit, decision.limited_by) == (5, LimitedBy.LOOP)


def test_one_bad_moment_is_no_strain() -> None:
    """A collection of garbage makes the loop late once; only what lasts for two periods counts."""
    decision = adaptive(SLOTS, seen(SLOTS, host=20.0, own=15.0, lag_ms=900.0), BOUNDS, settled(*CALM))
    assert decision.limit > SLOTS


def test_who_costs_nothing_is_not_the_cause_of_a_strain() -> None:
    """A host on which others wait for the CPU gains nothing from a run that uses none."""
    memory = settled(100.0, 1.0, SLOTS, strains=(0.0, 100.0, 0.0))
    decision = adaptive(SLOTS, seen(SLOTS, host=100.0, own=1.0, pressure=100.0), BOUNDS, memory)
    assert decision.limit >= SLOTS


def test_at_the_most_slots_that_is_said() -> None:
    """Nothing else limits."""
    decision = adaptive(SLOTS, seen(SLOTS), GateBounds(max_slots=SLOTS), settled(*CALM))
    assert (decision.limit, decision.limited_by) == (SLOTS, LimitedBy.MAX_SLOTS)


def test_a_loop_is_used_to_its_end_and_no_further() -> None:
    """The slots that keep it busy all the time: with 6 % of a core for each those are 17, and a quarter more."""
    memory = settled(*CALM, loop=Gauge(60.0, 60.0, 10, 6.0, is_sure=True))
    limit = 10
    for _ in range(6):
        told = seen(limit, host=20.0, own=15.0, loop=min(100.0, 6.0 * limit))
        decision = adaptive(limit, told, BOUNDS, memory._replace(ended=100.0))
        limit, memory = decision.limit, decision.memory
    assert (limit, decision.limited_by) == (21, LimitedBy.LOOP)


def test_a_loop_that_has_a_little_time_left_gets_a_few_slots_more() -> None:
    """A slot seemed to cost more than it does, and nothing is learned where there is hardly any room."""
    for busy, more in ((96.5, True), (99.5, False)):
        memory = settled(*CALM, loop=Gauge(busy, busy, 21, 6.0, is_sure=True))
        decision = adaptive(21, seen(21, host=20.0, own=15.0, loop=busy), BOUNDS, memory)
        assert (decision.limit > 21) is more
        assert decision.limit <= 24


def test_a_loop_that_is_pegged_from_the_start_is_relieved_step_by_step() -> None:
    """Nothing tells how many slots are too many until it has time to spare; what keeps it busy is known then."""
    limit, memory, limits = 8, START, [8]
    for number in range(40):
        told = seen(limit, samples=number + 1, ended=4.0, host=20.0, own=15.0, loop=min(100.0, 25.0 * limit))
        decision = adaptive(limit, told, BOUNDS, memory)
        limit, memory = decision.limit, decision.memory
        limits.append(limit)
    assert min(limits) == 3
    assert limits[-1] == 5


def test_every_limit_has_words() -> None:
    """For the reason of a decision, and for the report; those that are not the law's are the lane's."""
    not_the_laws = {LimitedBy.PAUSED, LimitedBy.STOPPING, "outage"}
    assert set(LimitedBy) - set(REASONS) <= not_the_laws
    assert {str(word) for word in LimitedBy} == set(LIMITS)


# -- what one CPU tells of another one ---------------------------------------------------------------------------------


def test_who_waits_for_the_loop_does_not_seem_cheap_to_the_host() -> None:
    """The loop is pegged on the mean, and noise shows a moment of rest: what a slot costs is not learned from that."""
    memory = settled(30.0, 25.0, SLOTS, loop=Gauge(99.0, 99.0, SLOTS, 15.0, is_sure=True), shown=1000.0)
    memory = memory._replace(host=Gauge(30.0, 25.0, SLOTS, 4.0, is_sure=True))
    host = adaptive(SLOTS, seen(SLOTS, host=30.0, own=25.0, loop=93.0), BOUNDS, memory).memory.host
    assert host is not None
    assert host.cost == 4.0


def test_what_a_pegged_loop_uses_is_all_that_more_slots_can_use() -> None:
    """Beside others with just as much as the target leaves, no slots are added that the loop alone would bear; where
    there is room for a pegged loop, they are."""
    loop = Gauge(99.0, 99.0, 10, 9.9, is_sure=True)
    full = seen(10, host=73.1, own=49.5, loop=99.0)
    host = Gauge(73.1, 48.0, 10, 4.7, is_sure=True)
    assert adaptive(10, full, BOUNDS, settled(*CALM, host=host, loop=loop)).limit == 10
    roomy = seen(10, host=70.0, own=49.5, loop=99.0)
    assert adaptive(10, roomy, BOUNDS, settled(70.0, 49.5, 10, loop=loop)).limit > 10


def test_what_children_use_may_be_told_in_lumps() -> None:
    """A period in which next to nothing was told of them is no sign of how little a pegged loop would use."""
    memory = settled(70.0, 60.0, SLOTS, loop=Gauge(20.0, 20.0, SLOTS, 1.0, is_sure=True))
    assert adaptive(SLOTS, seen(SLOTS, host=20.0, own=10.0, loop=20.0), BOUNDS, memory).limit <= SLOTS + 1


def test_an_allowance_that_a_pegged_loop_cannot_use_up_does_not_limit() -> None:
    """A third slot would seem to take 78 % of it, but the loop ends at 69."""
    memory = settled(
        *CALM,
        host=Gauge(40.0, 19.0, 2, 9.5, is_sure=True),
        allowance=Gauge(52.0, 52.0, 2, 26.0, is_sure=True),
        loop=Gauge(75.0, 75.0, 2, 37.5, is_sure=True),
    )
    told = seen(2, host=40.0, own=19.0, allowance=52.0, own_allowance=52.0, loop=75.0)
    assert adaptive(2, told, BOUNDS, memory).limit == 3


def test_a_loop_that_two_slots_peg_is_known_well_enough() -> None:
    """Fewer slots tell no more: it is used by three, and the law does not rest at two for ever."""
    limit, memory = 2, settled(*CALM, loop=Gauge(98.0, 98.0, 2, 25.0))
    for _ in range(12):
        told = seen(limit, host=20.0, own=15.0, loop=98.0)
        decision = adaptive(limit, told, BOUNDS, memory._replace(ended=100.0))
        limit, memory = decision.limit, decision.memory
    assert limit == 3


def test_the_provider_gets_a_quarter_more_slots_than_its_rate_needs() -> None:
    """Some attempts take longer than others, and more slots than it lets in are no harm."""
    decision = adaptive(20, seen(20, rate_slots=20.0), BOUNDS, settled(20.0, 10.0, 20))
    assert decision.limit == 25
