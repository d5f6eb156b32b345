"""Which fault a request meets: decided by the seed, the request and how often it was seen, never by arrival order.

Pure. What each fault does to the response stands in `repertoire.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b

from batchrun.simulator.faults import Fault, FaultKind, fault_named
from batchrun.simulator.scenario import Scenario

# Of the drops: most are resets, the others split between the two that look like an end of the body.
_DROPS = ((0.50, FaultKind.RESET), (0.75, FaultKind.CUT), (1.00, FaultKind.TRUNCATED))


def fault_of(scenario: Scenario, request: str, seen: int, scripted: Fault | None = None) -> Fault:
    """The fault of a request that was seen `seen` times before; `scripted` is what a directive asks for instead."""
    which, flavour, point = _draws(scenario.seed, request, seen)
    if scripted is not None:
        return replace(scripted, point=point)
    for rate, fault in _rates(scenario, flavour):
        which -= rate
        if which < 0:
            return replace(fault, point=point)
    return Fault()


def _rates(scenario: Scenario, flavour: float) -> Iterator[tuple[float, Fault]]:
    drop = next(kind for limit, kind in _DROPS if flavour < limit)
    yield scenario.rate_429, Fault(FaultKind.STATUS, status=429)
    yield scenario.rate_529, Fault(FaultKind.STATUS, status=529)
    yield scenario.rate_500, Fault(FaultKind.STATUS, status=500)
    yield scenario.rate_drop, Fault(drop)
    yield scenario.rate_silence, Fault(FaultKind.SILENCE)
    yield scenario.rate_slow, Fault(FaultKind.SLOW)
    for name, rate in scenario.rates.items():
        fault = fault_named(name)
        assert fault is not None  # the scenario has checked it
        yield rate, fault


def _draws(seed: int, request: str, seen: int) -> tuple[float, float, float]:
    """Three numbers from 0 up to, not including, 1."""
    digest = blake2b(f"{seed}/{request}/{seen}".encode(), digest_size=18).digest()
    # 48 bits each: a float holds them exactly, so that none rounds up to 1.
    first, second, third = (int.from_bytes(digest[at : at + 6]) / 2**48 for at in (0, 6, 12))
    return first, second, third
