"""What a law is told of one gate among several."""

from __future__ import annotations

from batchrun.gate.law import Signals
from batchrun.gate.load import Load
from batchrun.gate.usage import Company, Usage, observe

LOAD = Load(80.0, 70.0, 50.0, 90.0, None, None, 4)


def test_the_share_of_a_gate_is_that_of_its_slots() -> None:
    """Among those gates that have anything in flight; an idle one counts for nothing."""
    usages = (Usage(4, 3.0, 1), Usage(2, 1.0, 0), Usage(0, 0.0, 0))
    company = Company.of(usages, 12.0)
    assert (company.mean, company.gates, company.lag_ms) == (4.0, 2, 12.0)
    assert observe(LOAD, usages[0], company, is_held=False).share == 0.75


def test_a_run_without_anything_in_flight_can_be_told_too() -> None:
    """Nothing is divided by nothing."""
    idle = Usage(0, 0.0, 0)
    seen = observe(LOAD, idle, Company.of([idle], 0.0), is_held=True)
    assert (seen.share, seen.gates, seen.in_flight, seen.is_held) == (1.0, 1, 0.0, True)


def test_the_scarcer_cpu_is_what_the_steady_law_sees() -> None:
    """In a container its allowance may be nearer its end than the host."""
    inside = Load(20.0, 18.0, 50.0, 90.0, None, None, 4, scarce_cpu=66.0, signals=Signals(20.0, 10.0, 66.0, 66.0))
    company = Company(1.0, 1)
    assert observe(LOAD, Usage(1, 1.0, 0), company, is_held=False).cpu == 70.0
    assert observe(inside, Usage(1, 1.0, 0), company, is_held=False).cpu == 66.0
