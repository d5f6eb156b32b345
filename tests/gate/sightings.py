"""What a gate may have seen in a period: a quiet machine, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from batchrun.gate.cpu import Gauge
from batchrun.gate.law import GateBounds, Observation, Signals
from batchrun.gate.memory import START, Memory

BOUNDS = GateBounds()
SIGNALS = frozenset(Signals._fields)


def seen(limit: int, **changes: Any) -> Observation:
    """Every slot is in flight and being answered, and the host has nothing else to do; whatever stands in `changes` is
    of the observation or of its signals."""
    told = {name: value for name, value in changes.items() if name in SIGNALS}
    rest = {name: value for name, value in changes.items() if name not in SIGNALS}
    full = {"cpu": told.get("host", 20.0), "samples": 10, "in_flight_peak": limit, "is_held": False}
    full |= {"in_flight": float(limit), "answering": float(limit)}
    return Observation(**(full | rest), signals=Signals(**({"host": 20.0, "own": 10.0} | told)))


def settled(busy: float, ours: float, slots: float, **changes: Any) -> Memory:
    """What a law remembers that has seen the same for a long time."""
    loop = Gauge(10.0, 10.0, slots, 10.0 / slots, is_sure=True)
    known: dict[str, Any] = {
        "is_ramping": False,
        "ended": 1000.0,
        "shown": 1000.0,
        "host": Gauge(busy, ours, slots, ours / slots, is_sure=True),
        "loop": loop,
    }
    return START._replace(**(known | changes))
