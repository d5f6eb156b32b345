"""How the slots of a gate were used in a period, and what a law is told of that beside the load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from batchrun.gate.law import Observation, Signals
from batchrun.gate.load import Load


class Usage(NamedTuple):
    """The most slots that were taken at once, those taken on the mean, those given back, and those in flight now whose
    attempt has shown what it costs."""

    peak: int
    mean: float
    ended: int
    answering: int = 0


class Company(NamedTuple):
    """What all gates of the run have in common: the slots that they had taken on the mean, how many of them had any,
    and how late the event loop was."""

    mean: float
    gates: int
    lag_ms: float = 0.0

    @classmethod
    def of(cls, usages: Iterable[Usage], lag_ms: float) -> Self:
        means = [usage.mean for usage in usages if usage.mean > 0]
        return cls(sum(means), max(1, len(means)), lag_ms)


def observe(load: Load, usage: Usage, company: Company, *, is_held: bool) -> Observation:
    """Everything that a law wants to know of one gate."""
    return Observation(
        cpu=load.cpu_ewma if load.scarce_cpu is None else load.scarce_cpu,
        samples=load.samples,
        in_flight_peak=usage.peak,
        is_held=is_held,
        in_flight=usage.mean,
        ended=usage.ended,
        answering=usage.answering,
        share=usage.mean / company.mean if company.mean > 0 else 1.0,
        gates=company.gates,
        lag_ms=company.lag_ms,
        signals=Signals(host=load.cpu, own=load.cpu) if load.signals is None else load.signals,
    )
