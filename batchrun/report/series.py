"""The load of a night over time, from its telemetry: what one pass over the periods leaves behind. Pure.

Numbers in arrays: eight hours at a period of two seconds are 14,400 periods.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchrun.report.plain import moment
from batchrun.spent import Spent, spent_of


@dataclass(frozen=True, slots=True)
class GatePeriod:
    """One gate during one period."""

    slots: int
    in_flight: int
    limited_by: str


@dataclass(frozen=True, slots=True)
class Period:
    """One line of telemetry; what a line does not say is 0, or None where 0 would be a lie. `retried`,
    `wasted_tokens` and `spent` are of the run so far."""

    stamp: str
    run: str
    cpu: float
    proc_cpu: float
    rss_mb: float
    tok_s: float
    gates: dict[str, GatePeriod]
    retried: dict[str, int] | None = None
    wasted_tokens: int = 0
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class LimitShare:
    """The share of a gate's periods in which this kept more from running."""

    backend: str
    limited_by: str
    share: float


class Series:
    """Times are seconds since the epoch."""

    def __init__(self) -> None:
        self.times = array("d")
        self.cpu = array("d")
        self.slots = array("d")
        self.in_flight = array("d")
        self.tok_s = array("d")
        self.proc_cpu = array("d")
        self.rss_mb = 0.0
        self._limits: Counter[tuple[str, str]] = Counter()

    def __repr__(self) -> str:
        return f"<Series of {len(self.times)} periods>"

    def take(self, periods: Iterable[Period]) -> None:
        for period in periods:
            self.times.append(moment(period.stamp).timestamp())
            self.cpu.append(period.cpu)
            self.tok_s.append(period.tok_s)
            self.proc_cpu.append(period.proc_cpu)
            self.rss_mb = max(self.rss_mb, period.rss_mb)
            self.slots.append(sum(gate.slots for gate in period.gates.values()))
            self.in_flight.append(sum(gate.in_flight for gate in period.gates.values()))
            self._limits.update((name, gate.limited_by) for name, gate in period.gates.items())

    def span(self) -> tuple[datetime, datetime]:
        """When the first and the last period ended. There must be one."""
        return datetime.fromtimestamp(self.times[0], UTC), datetime.fromtimestamp(self.times[-1], UTC)

    def limits(self) -> list[LimitShare]:
        """What limited, gate by gate, the longest first."""
        periods: Counter[str] = Counter()
        for (backend, _), number in self._limits.items():
            periods[backend] += number
        shares = [LimitShare(*key, number / periods[key[0]]) for key, number in self._limits.items()]
        return sorted(shares, key=lambda limit: (limit.backend, -limit.share, limit.limited_by))


def period_of(fields: dict[str, Any]) -> Period:
    """Read one line's fields. Raises KeyError, TypeError, ValueError or AttributeError for what is no telemetry."""
    moment(fields["t"])
    gates = {
        name: GatePeriod(int(gate["slots"]), int(gate["in_flight"]), str(gate["limited_by"]))
        for name, gate in fields["gates"].items()
    }
    return Period(
        stamp=fields["t"],
        run=str(fields["run"]),
        cpu=float(fields["cpu"] or 0.0),
        proc_cpu=float(fields["proc_cpu"] or 0.0),
        rss_mb=float(fields["rss_mb"] or 0.0),
        tok_s=float(fields["tok_s"] or 0.0),
        gates=gates,
        retried=_counts(fields.get("retried")),
        wasted_tokens=int(fields.get("wasted_tokens") or 0),
        spent=spent_of(fields.get("spent")),
    )


def _counts(said: dict[str, Any] | None) -> dict[str, int] | None:
    return None if said is None else {str(cause): int(number) for cause, number in said.items()}
