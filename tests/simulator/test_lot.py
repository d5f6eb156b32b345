"""Which request meets which fault."""

from __future__ import annotations

from collections import Counter

import pytest

from batchrun.simulator.faults import Fault, FaultKind, fault_named
from batchrun.simulator.lot import fault_of
from batchrun.simulator.request import request_hash
from batchrun.simulator.scenario import Scenario
from tests.simulator.wire import body_of

HASHES = [request_hash(body_of(f"Item {number}")) for number in range(2000)]
DROPS = {"reset", "cut", "truncated"}


def test_the_seed_decides_and_the_order_does_not() -> None:
    """Same seed, same faults, in any order; another seed, other ones."""
    storm = Scenario.load("storm")
    faults = {name: fault_of(storm, name, 0) for name in HASHES}
    assert {name: fault_of(storm, name, 0) for name in reversed(HASHES)} == faults
    assert {name: fault_of(Scenario(seed=1, rate_429=0.25), name, 0) for name in HASHES} != faults


def test_a_request_that_comes_again_is_drawn_again() -> None:
    """A fault does not stick to a request: a retry has the same chances."""
    storm = Scenario.load("storm")
    unlucky = [name for name in HASHES if fault_of(storm, name, 0).kind is not FaultKind.NONE]
    answered = sum(fault_of(storm, name, 1).kind is FaultKind.NONE for name in unlucky)
    assert 0.25 < answered / len(unlucky) < 0.45


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_rates_hold_over_two_thousand_requests(seen: int) -> None:
    """Each fault occurs at its rate, within four standard deviations; the seed makes it the same each time."""
    rates = {"429": 0.10, "529": 0.05, "500": 0.05, "silence": 0.03, "slow": 0.10, "drop": 0.05, "none": 0.62}
    scenario = Scenario(rate_429=0.10, rate_529=0.05, rate_500=0.05, rate_silence=0.03, rate_slow=0.10, rate_drop=0.05)
    labels = [str(fault_of(scenario, name, seen)) for name in HASHES]
    counts = Counter("drop" if label in DROPS else label for label in labels)
    assert set(counts) == set(rates)
    for label, rate in rates.items():
        expected, deviation = rate * len(HASHES), (rate * (1 - rate) * len(HASHES)) ** 0.5
        assert abs(counts[label] - expected) < 4 * deviation, label
    assert DROPS <= set(labels)


def test_drops_strike_anywhere_in_the_answer() -> None:
    """Early, in the middle and late."""
    points = [fault_of(Scenario(rate_drop=1.0), name, 0).point for name in HASHES]
    assert min(points) < 0.01
    assert max(points) > 0.99
    assert all(0 <= point < 1 for point in points)


def test_rates_of_zero_and_one_are_certain() -> None:
    """Calm never fails; a rate of 1 always does."""
    assert {fault_of(Scenario(), name, 0) for name in HASHES} == {Fault()}
    assert {fault_of(Scenario(rate_slow=1.0), name, 0).kind for name in HASHES} == {FaultKind.SLOW}


def test_a_script_wins_over_the_scenario() -> None:
    """What a directive asks for is what happens."""
    for name in ("529", "cut", "malformed"):
        assert str(fault_of(Scenario(rate_429=1.0), HASHES[0], 0, fault_named(name))) == name


def test_faults_without_a_field_of_their_own_have_rates_too() -> None:
    """Each by its name, beside those that have one; what the others meet does not change."""
    rates = {"429": 0.2, "truncated": 0.05, "malformed": 0.1}
    night = Scenario(rate_529=0.05, rates=rates)
    faults = {name: str(fault_of(night, name, 0)) for name in HASHES}
    assert set(faults.values()) == {"529", "none", *rates}
    for label, rate in {**rates, "529": 0.05}.items():
        expected, deviation = rate * len(HASHES), (rate * (1 - rate) * len(HASHES)) ** 0.5
        assert abs(list(faults.values()).count(label) - expected) < 4 * deviation, label
    fewer = {name: str(fault_of(Scenario(rate_529=0.05), name, 0)) for name in HASHES}
    assert [name for name in HASHES if (fewer[name] == "529") != (faults[name] == "529")] == []
