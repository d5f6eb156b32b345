"""One backend in a run: who answers, its gate, what its law decided last, its clocks and strikes.

A lane is asked once a period and told what the operator wants; it starts nothing and sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from batchrun.gate.adaptive import adaptive
from batchrun.gate.law import Decision, GateBounds, Law, LimitedBy
from batchrun.gate.load import Load
from batchrun.gate.slots import Gate
from batchrun.gate.usage import Company, Usage, observe
from batchrun.journal.control import Tuning
from batchrun.providers.provider import Provider
from batchrun.retry import Strikes
from batchrun.stream.clocks import ClockLimits

log = logging.getLogger("batchrun")

UNTUNED = Tuning()


class Lane:
    """`bounds` are those in force: the run's own, and what the operator tuned on top."""

    def __init__(
        self,
        provider: Provider,
        bounds: GateBounds,
        clocks: ClockLimits,
        gate: Gate,
        law: Law = adaptive,
    ) -> None:
        self.provider = provider
        self.clocks = clocks
        self.gate = gate
        self.strikes = Strikes()
        self.bounds = bounds
        self._given = bounds
        self._law = law
        self._tuning = UNTUNED
        self._decision = Decision(gate.limit, LimitedBy.RAMP, "starting")

    def __repr__(self) -> str:
        return f"<Lane {self.gate!r} by {self.provider!r}>"

    @classmethod
    def open(
        cls,
        name: str,
        provider: Provider,
        bounds: GateBounds,
        clocks: ClockLimits,
        now: Callable[[], float],
        law: Law = adaptive,
    ) -> Lane:
        """A lane whose gate begins at the bounds' start, for the event loop whose clock `now` is."""
        first = min(max(bounds.start_slots, bounds.min_slots), bounds.max_slots)
        return cls(provider, bounds, clocks, Gate(name, first, now), law)

    @property
    def name(self) -> str:
        return self.gate.name

    def rule(self, load: Load, usage: Usage, company: Company) -> None:
        """Ask the law, and do what it says."""
        gate = self.gate
        seen = observe(load, usage, company, is_held=gate.is_held)
        decision = self._law(gate.limit, seen, self.bounds, self._decision.memory)
        if decision.limit != gate.limit:
            log.info("gate %s: %d -> %d slots: %s", gate.name, gate.limit, decision.limit, decision.reason)
            gate.resize(decision.limit)
        self._decision = decision

    def tune(self, tuning: Tuning) -> bool:
        """Take what the operator asks; True where that is news."""
        if tuning == self._tuning:
            return False
        self._tuning = tuning
        bounds = replace(self._given, **{name: asked for name, asked in tuning.asked.items() if name != "paused"})
        # One bound alone may be tuned past the other; the one that was asked for holds.
        if tuning.max_slots is not None:
            bounds = replace(bounds, min_slots=min(bounds.min_slots, bounds.max_slots))
        else:
            bounds = replace(bounds, max_slots=max(bounds.min_slots, bounds.max_slots))
        self.bounds = bounds
        self.gate.pause(paused=bool(tuning.paused))
        # At once, and not by the law's steps: the operator has a reason.
        self.gate.resize(min(max(self.gate.limit, bounds.min_slots), bounds.max_slots))
        log.info("gate %s: tuned to %s", self.name, tuning)
        return True

    def shrink(self) -> None:
        """This machine cannot bear so many at once (too many open files): one fewer than there are now, the one that
        failed among them."""
        self.gate.resize(max(self.bounds.min_slots, self.gate.in_flight - 1))

    def view(self) -> dict[str, Any]:
        """What telemetry and status tell of a gate."""
        limited_by, reason = self._limit()
        told: dict[str, Any] = {
            "slots": self.gate.limit,
            "in_flight": self.gate.in_flight,
            "waiting": self.gate.waiting,
            "limited_by": str(limited_by),
            "reason": reason,
        }
        if self._tuning != UNTUNED:
            told["tuned"] = self._tuning.asked
        return told

    def _limit(self) -> tuple[LimitedBy, str]:
        if self.gate.is_closed:
            return LimitedBy.STOPPING, "the run is stopping"
        if self.gate.is_paused:
            return LimitedBy.PAUSED, "paused by batchrun tune"
        if self.gate.is_held:
            return LimitedBy.RATE_LIMIT, f"the provider asks to wait {self.gate.held_seconds:.0f} s"
        return self._decision.limited_by, self._decision.reason
