"""The adaptive law, period by period: when the slots grow, when they are taken away, and what it says of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.gate.adaptive import SHOWN, adaptive
from batchrun.gate.cpu import AIM, CUT, FLOOR, Gauge
from batchrun.gate.law import MIN_SAMPLES, USED, Decision, GateBounds, LimitedBy, Observation, Signals
from batchrun.gate.memory import START, Memory
from tests.gate.sightings import BOUNDS, seen, settled


def play(limit: int, periods: int, memory: Memory = START, bounds: GateBounds = BOUNDS, cost: float = 0.1) -> list[int]:
    """The limits of a run that has the host to itself, where each slot costs so many points at once."""
    limits = [limit]
    for number in range(periods):
        own = cost * limits[-1]
        now = seen(limits[-1], host=own + 2.0, own=own, loop=min(100.0, own), samples=number + 1)
        decision = adaptive(limits[-1], now, bounds, memory)
        limits.append(decision.limit)
        memory = decision.memory
    return limits


# -- growth ------------------------------------------------------------------------------------------------------------


def test_the_start_doubles_until_the_most_is_reached() -> None:
    """From 8 to 256 slots within 12 periods, the three without growth included: what was grown is watched for a whole
    period."""
    assert play(8, 12) == [8, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256]


def test_the_start_does_not_double_past_what_there_is_room_for() -> None:
    """With a point a slot, 64 slots are the last doubling; the rest of the way ends below the target's upper edge."""
    limits = play(8, 16, cost=1.0)
    assert limits[2:9:2] == [8, 16, 32, 64]
    assert limits[-1] == limits[-2]
    assert BOUNDS.target_cpu <= limits[-1] + 2.0 <= BOUNDS.target_cpu + AIM


def test_a_sign_of_saturation_ends_the_doubling_for_good() -> None:
    """After a cut the slots grow by what there is room for, and never by more than they are."""
    cut = adaptive(64, seen(64, host=95.0, own=90.0), BOUNDS, settled(95.0, 90.0, 64, is_ramping=True))
    assert cut.limit < 64
    assert not cut.memory.is_ramping


@pytest.mark.parametrize("words", [{"is_held": True}, {"in_flight": 7.9}, {"samples": MIN_SAMPLES - 1}])
def test_nothing_grows_without_every_reason(words: dict[str, float]) -> None:
    """Held back by the provider, fewer than 80 % of the slots in flight, fewer than three samples: each keeps the
    limit where it is."""
    assert adaptive(10, seen(10), BOUNDS, settled(20.0, 10.0, 10)).limit > 10
    assert adaptive(10, seen(10, **words), BOUNDS, settled(20.0, 10.0, 10)).limit == 10


def test_slots_that_wait_for_their_first_token_have_to_show_what_they_cost() -> None:
    """Growth waits until three quarters of them are being answered or have ended since the last change, all through a
    period."""
    few, enough = SHOWN * 16 - 1, SHOWN * 16
    before = START._replace(shown=enough)
    assert adaptive(16, seen(16, answering=few), BOUNDS, before).limit == 16
    assert adaptive(16, seen(16, answering=enough), BOUNDS, START._replace(shown=few)).limit == 16
    assert adaptive(16, seen(16, answering=enough), BOUNDS, before).limit == 32
    assert adaptive(16, seen(16, answering=0.0), BOUNDS, before._replace(ended=enough)).limit == 32


def test_after_the_start_nothing_grows_on_a_guess() -> None:
    """A loop that was pegged from the first moment on has not told yet what a slot costs it."""
    memory = settled(20.0, 10.0, 10)
    assert memory.loop is not None
    unsure = memory._replace(loop=memory.loop._replace(busy=90.0, is_sure=False))
    assert adaptive(10, seen(10, loop=97.0), BOUNDS, unsure).limit == 10
    assert adaptive(10, seen(10, loop=60.0), BOUNDS, unsure).limit > 10


def test_who_costs_next_to_nothing_needs_no_certainty() -> None:
    """On a host that is always full nothing is ever sure, and a cut would be for good."""
    memory = settled(100.0, 1.0, 10)
    assert memory.loop is not None
    unsure = memory._replace(loop=memory.loop._replace(busy=10.0, is_sure=False))
    assert adaptive(10, seen(10, host=100.0, own=1.0, loop=10.0), BOUNDS, unsure).limit > 10


def test_a_slot_that_is_always_taken_counts_though_its_items_change() -> None:
    """In the moment between two items it is free, and a law that waits for a whole slot learns nothing for ever."""
    memory = settled(20.0, 40.0, 1)
    for _ in range(60):
        one = seen(1, host=6.0, own=5.0, loop=4.0, in_flight=0.9995, in_flight_peak=1, ended=2.0)
        decision = adaptive(1, one, BOUNDS, memory)
        memory = decision.memory
        if decision.limit > 1:
            return
    raise AssertionError(decision.reason)


def test_beside_others_the_limit_goes_a_quarter_of_the_way() -> None:
    """Several runs may see the same room at once."""
    alone = adaptive(20, seen(20, host=20.0, own=20.0), BOUNDS, settled(20.0, 20.0, 20)).limit
    beside = adaptive(20, seen(20, host=50.0, own=20.0), BOUNDS, settled(50.0, 20.0, 20)).limit
    assert (alone, beside) == (40, 20 + 20 // 4)


def test_the_way_to_what_is_ours_alone_is_not_shared() -> None:
    """The loop bears 40 slots, and on the host there is room for many more: nobody else can take that from us."""
    memory = settled(30.0, 10.0, 20, loop=Gauge(62.5, 62.5, 20, 3.125, is_sure=True))
    told = seen(20, host=30.0, own=10.0, loop=62.5)
    assert adaptive(20, told, BOUNDS, memory).limit == 40


def test_who_has_shown_what_it_costs_does_not_show_it_again() -> None:
    """After a small step alone on the host the next one need not wait until all of the slots have begun anew."""
    memory = settled(60.0, 58.0, 40, ended=0.0, shown=40.0)
    first = adaptive(40, seen(40, host=60.0, own=58.0, answering=30.0, ended=10.0), BOUNDS, memory)
    assert first.limit > 40
    then = seen(first.limit, host=60.0, own=58.0, answering=31.0)
    again = adaptive(first.limit, then, BOUNDS, first.memory)
    assert min(again.memory.shown, again.memory.shown_before) >= SHOWN * first.limit


def test_half_a_slot_of_room_is_none() -> None:
    """Where noise has just made a little of it, the limit would only be cut again."""
    little = 72.4, 72.4 - 2.0
    assert adaptive(44, seen(44, host=72.4, own=70.4), BOUNDS, settled(*little, 44)).limit == 44


def test_a_limit_that_was_too_much_for_the_provider_is_approached_with_care() -> None:
    """Somebody else has cut it: back to nine tenths of it quickly, and then by a sixteenth."""
    memory = settled(22.0, 20.0, 100, left=100)
    back = adaptive(60, seen(60, host=22.0, own=12.0), BOUNDS, memory)
    assert back.limit == 90
    assert not back.memory.is_ramping
    after = adaptive(90, seen(90, host=22.0, own=18.0), BOUNDS, back.memory._replace(ended=90.0))
    assert after.limit == 95


# -- cuts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "own", "slots"),
    [(90.0, 90.0, 30), (100.0, 80.0, 40), (80.0, 40.0, 40), (85.0, 60.0, 12)],
)
def test_a_cut_leaves_what_is_ours_to_give(host: float, own: float, slots: int) -> None:
    """When others have come: in flight x (target - (host - own)) / own."""
    memory = settled(host, own, slots)
    assert memory.host is not None
    told = seen(slots, host=host, own=own)
    decision = adaptive(slots, told, BOUNDS, memory._replace(host=memory.host._replace(news=3)))
    ours = slots * max(FLOOR, BOUNDS.target_cpu - (host - own)) / own
    # Nobody gets what he wants on a host that is full, so others want more than they have.
    # Where the last slot just fits it may stay.
    assert decision.limit in (int(ours), int(ours) + 1) or (host >= 95.0 and decision.limit < ours)
    assert decision.limited_by in (LimitedBy.CPU, LimitedBy.NEIGHBOUR)


def test_what_others_wanted_is_told_by_our_own_streams() -> None:
    """On a full host they were squeezed as ours were; more of our slots are being answered then, so slots tell less."""
    memory = settled(100.0, 60.0, 100, stream=2.0)
    assert memory.host is not None
    memory = memory._replace(host=memory.host._replace(news=3))
    at_ease = adaptive(100, seen(100, host=100.0, own=60.0, answering=30.0), BOUNDS, memory).limit
    squeezed = adaptive(100, seen(100, host=100.0, own=60.0, answering=42.0), BOUNDS, memory).limit
    # The others wanted 40 points times 42 x 2 / 60, which leaves 14 points.
    assert squeezed in (int(14.0 / 0.6), int(14.0 / 0.6) + 1)
    assert squeezed < at_ease


def test_who_does_not_know_what_a_slot_costs_gives_all_but_the_least_to_who_comes() -> None:
    """The loop was pegged from the first moment on; what each of fewer slots uses is seen soon."""
    memory = settled(76.0, 21.0, 7)
    assert memory.host is not None
    memory = memory._replace(host=memory.host._replace(news=4, is_sure=False))
    assert adaptive(7, seen(7, host=76.0, own=21.0, loop=99.0), BOUNDS, memory).limit == BOUNDS.min_slots


def test_a_run_that_costs_next_to_nothing_is_never_cut() -> None:
    """A backup that takes the whole machine leaves it alone, and it says who limits; it may even grow to its floor."""
    memory = settled(100.0, 1.0, 10)
    decision = adaptive(10, seen(10, host=100.0, own=1.0), BOUNDS, memory)
    assert decision.limit > 10
    last = adaptive(50, seen(50, host=100.0, own=4.95), BOUNDS, settled(100.0, 4.95, 50))
    assert (last.limit, last.limited_by) == (50, LimitedBy.NEIGHBOUR)
    assert "other programs use 95 % of the CPU" in last.reason


def test_a_little_above_the_target_nothing_happens() -> None:
    """Between the target and where it is cut the limit rests, so that noise does not move it."""
    for host in (BOUNDS.target_cpu + AIM, BOUNDS.target_cpu + CUT - 0.1):
        decision = adaptive(50, seen(50, host=host, own=host - 2.0), BOUNDS, settled(host, host - 2.0, 50))
        assert (decision.limit, decision.limited_by) == (50, LimitedBy.CPU)


def test_one_loud_period_changes_nothing() -> None:
    """What is far off counts when it comes twice."""
    memory = settled(60.0, 58.0, 58)
    once = adaptive(58, seen(58, host=100.0, own=58.0), BOUNDS, memory)
    assert once.limit == 58
    twice = adaptive(58, seen(58, host=100.0, own=58.0), BOUNDS, once.memory)
    assert twice.limit < 40


def test_the_minimum_stays_whatever_happens() -> None:
    """Work never stops."""
    bounds = GateBounds(min_slots=3)
    told = seen(
        20, host=100.0, own=90.0, loop=100.0, throttled=90.0, pressure=100.0, free_memory_mb=1.0, reserve_mb=9.0
    )
    memory = settled(100.0, 90.0, 20, strains=(90.0, 100.0, 5000.0))
    assert adaptive(20, told._replace(lag_ms=5000.0), bounds, memory).limit == 3


def test_slots_that_run_out_tell_nothing_of_what_one_costs() -> None:
    """After a cut only answers are in flight, and none of them waits: they seem dearer than they are."""
    memory = settled(95.0, 70.0, 100, ended=0.0, stale=90.0)
    decision = adaptive(40, seen(40, in_flight=60.0, answering=60.0, host=80.0, own=60.0, ended=5.0), BOUNDS, memory)
    assert memory.host is not None
    assert decision.memory.host is not None
    assert decision.memory.host.cost == memory.host.cost


# -- others on the same host -------------------------------------------------------------------------------------------


def test_who_has_much_gives_up_a_little_now_and_then() -> None:
    """At rest beside others a twelfth of the slots is given up, and taken back where nobody wants it."""
    limits, memory = [40], settled(75.0, 40.0, 40)
    for _ in range(32):
        own = float(limits[-1])
        decision = adaptive(limits[-1], seen(limits[-1], host=35.0 + own, own=own), BOUNDS, memory)
        limits.append(decision.limit)
        memory = decision.memory
    assert min(limits) == 37
    assert limits[-1] >= 38
    assert memory.courtesy.interval > START.courtesy.interval


def test_who_has_much_is_courteous_at_its_most_slots_too() -> None:
    """What limits it is not what limits the others: for them it is the host."""
    memory, bounds = settled(74.0, 55.0, 40), GateBounds(max_slots=40)
    memory = memory._replace(courtesy=memory.courtesy._replace(due=0))
    decision = adaptive(40, seen(40, host=74.0, own=55.0), bounds, memory)
    assert decision.limit < 40


def test_who_is_alone_gives_nothing_up() -> None:
    """No neighbour, no courtesy."""
    limits, memory = [70], settled(74.0, 70.0, 70)
    for _ in range(60):
        decision = adaptive(limits[-1], seen(limits[-1], host=74.0, own=70.0), BOUNDS, memory)
        limits.append(decision.limit)
        memory = decision.memory
    assert set(limits) == {70}


def test_gates_of_one_run_are_cut_by_the_same_part() -> None:
    """Together they leave what is ours to give: each its share of it."""
    memory = settled(100.0, 100.0, 100)
    big = adaptive(75, seen(75, host=100.0, own=100.0, share=0.75, gates=2), BOUNDS, memory)
    small = adaptive(25, seen(25, host=100.0, own=100.0, share=0.25, gates=2), BOUNDS, memory)
    assert 65 <= big.limit + small.limit <= 75
    assert big.limit == pytest.approx(3 * small.limit, abs=2)


@pytest.mark.parametrize(("is_held", "by"), [(False, LimitedBy.JOBS), (True, LimitedBy.RATE_LIMIT)])
def test_a_gate_that_had_nothing_in_flight_pays_for_no_other_one(is_held: bool, by: LimitedBy) -> None:
    """Its backend asked to wait while another one kept the machine too busy: it keeps its slots, and what it knows."""
    memory = settled(95.0, 80.0, 12)
    idle = seen(12, host=95.0, own=80.0, loop=99.0, share=0.0, in_flight=0.0, answering=0.0, is_held=is_held)
    decision = adaptive(12, idle, BOUNDS, memory)
    assert (decision.limit, decision.limited_by, decision.memory) == (12, by, memory)


# -- whatever happens --------------------------------------------------------------------------------------------------

points = st.floats(0, 100)
observations = st.builds(
    lambda host, part, in_flight, ended, answering, share, held, rest: Observation(
        cpu=host,
        samples=5,
        in_flight_peak=int(in_flight),
        is_held=held,
        in_flight=in_flight,
        ended=ended,
        answering=answering,
        share=share,
        gates=1 if share > 0.99 else 2,
        lag_ms=rest[0] * 20,
        rate_slots=rest[1],
        signals=Signals(
            host, host * part, rest[2], rest[3], rest[4], rest[5], rest[6], rest[7] * 10, 64.0, 200.0, int(rest[8])
        ),
    ),
    points,
    st.floats(0, 1),
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(0, 1),
    st.booleans(),
    st.tuples(points, st.none() | points, st.none() | points, *[points] * 3, st.none() | points, points, points),
)


@given(st.lists(observations, min_size=1, max_size=12), st.integers(1, 5), st.integers(5, 60))
def test_whatever_is_seen_the_limit_keeps_within_its_bounds(story: list[Observation], least: int, most: int) -> None:
    """And every decision says why; no story of periods makes the law divide by nothing."""
    bounds = GateBounds(min_slots=least, max_slots=most)
    limit, memory = min(max(8, least), most), START
    for observation in story:
        decision: Decision = adaptive(limit, observation, bounds, memory)
        assert least <= decision.limit <= most
        assert decision.limit <= 2 * limit
        assert decision.reason
        if decision.limit > limit:
            assert not observation.is_held
            assert observation.in_flight >= USED * limit
        limit, memory = decision.limit, decision.memory


def test_before_the_first_sample_nothing_changes() -> None:
    """Except that bounds which were tuned hold at once."""
    nothing = seen(8)._replace(cpu=None, samples=0)
    assert adaptive(8, nothing, BOUNDS).limit == 8
    assert adaptive(8, nothing, GateBounds(max_slots=4)).limit == 4
