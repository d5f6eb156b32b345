"""Which fault a request meets: decided by the seed, the request and how often it was seen, never by arrival order.

Pure. What each fault does to the response stands in `script.py`, one function each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from batchrun.simulator.scenario import Scenario


class FaultKind(StrEnum):
    """The ways in which a response can go wrong; the words are those of `[[fault=...]]` and of the log."""

    NONE = "none"
    STATUS = "status"  # an error body, nothing of the answer
    RESET = "reset"  # the socket is reset between two events
    CUT = "cut"  # the socket is closed in the middle of a chunk
    TRUNCATED = "truncated"  # a clean end of the body, the last events missing
    SILENCE = "silence"  # nothing more comes, the socket stays open
    SLOW = "slow"  # the whole answer, slower by the scenario's factor


@dataclass(frozen=True, slots=True)
class Fault:
    """What one response suffers. `status` belongs to STATUS; `point` is the share of the answer that is sent first."""

    kind: FaultKind = FaultKind.NONE
    status: int = 200
    point: float = 0.0

    def __str__(self) -> str:
        return str(self.status) if self.kind is FaultKind.STATUS else self.kind.value


# Of the drops: most are resets, the others split between the two that look like an end of the body.
_DROPS = ((0.50, FaultKind.RESET), (0.75, FaultKind.CUT), (1.00, FaultKind.TRUNCATED))


def fault_of(scenario: Scenario, request: str, seen: int, scripted: str | None = None) -> Fault:
    """The fault of a request that was seen `seen` times before; `scripted` is what a directive asks for instead."""
    which, flavour, point = _draws(scenario.seed, request, seen)
    if scripted is not None:
        if scripted.isdigit():
            return Fault(FaultKind.STATUS, status=int(scripted))
        return Fault(FaultKind(scripted), point=point)
    drop = next(kind for limit, kind in _DROPS if flavour < limit)
    rates = (
        (scenario.rate_429, Fault(FaultKind.STATUS, status=429)),
        (scenario.rate_529, Fault(FaultKind.STATUS, status=529)),
        (scenario.rate_500, Fault(FaultKind.STATUS, status=500)),
        (scenario.rate_drop, Fault(drop, point=point)),
        (scenario.rate_silence, Fault(FaultKind.SILENCE, point=point)),
        (scenario.rate_slow, Fault(FaultKind.SLOW)),
    )
    for rate, fault in rates:
        which -= rate
        if which < 0:
            return fault
    return Fault()


def _draws(seed: int, request: str, seen: int) -> tuple[float, float, float]:
    """Three numbers from 0 up to, not including, 1."""
    digest = blake2b(f"{seed}/{request}/{seen}".encode(), digest_size=18).digest()
    # 48 bits each: a float holds them exactly, so that none rounds up to 1.
    first, second, third = (int.from_bytes(digest[at : at + 6]) / 2**48 for at in (0, 6, 12))
    return first, second, third
