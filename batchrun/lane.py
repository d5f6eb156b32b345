"""One backend in a run: who answers, its gate, what its law decided last, its clocks and strikes.

A lane is asked once a period and told what the operator wants; it starts nothing and sends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from batchrun.failure import Cause, Failure
from batchrun.gate.adaptive import adaptive
from batchrun.gate.law import USED, Decision, GateBounds, Law, LimitedBy
from batchrun.gate.laws import LAWS
from batchrun.gate.load import Load
from batchrun.gate.slots import Gate
from batchrun.gate.traffic import Traffic
from batchrun.gate.usage import Company, Usage, observe
from batchrun.journal.control import Tuning
from batchrun.plural import counted
from batchrun.providers.provider import Provider
from batchrun.providers.quota import Quota, Unit
from batchrun.retry import Strikes
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.usage import told_tokens

log = logging.getLogger("batchrun")

UNTUNED = Tuning()
DEFAULT_CLOCKS = ClockLimits()
CUT_PERIOD = 2.0  # seconds: what is refused within them is one event, and cuts the slots once
OVERLOAD_CUT = 0.7  # of the slots in use stay


@dataclass(frozen=True, slots=True)
class GateTerms:
    """How one backend is asked: the bounds and the law of its gate, and its clocks."""

    bounds: GateBounds
    clocks: ClockLimits = DEFAULT_CLOCKS
    law: Law = adaptive


class Lane:
    """`bounds` are those in force: the run's own, and what the operator tuned on top; so are its `clocks`. `back_at` is
    the moment of the loop's clock for which the provider has announced itself; `in_hand` are the items that have begun
    and not ended, and `is_read` says that no other one will begin."""

    def __init__(
        self,
        provider: Provider,
        terms: GateTerms,
        gate: Gate,
        traffic: Traffic | None = None,
    ) -> None:
        self.provider = provider
        self.clocks = terms.clocks
        self.gate = gate
        self.traffic = Traffic() if traffic is None else traffic
        self.strikes = Strikes()
        self.back_at = 0.0
        self.in_hand = 0
        self.is_read = False
        self._cut_at = -CUT_PERIOD
        provider.listen(self._told)
        self.bounds = terms.bounds
        self._given = terms
        self._law = terms.law
        self._tuning = UNTUNED
        self._decision = Decision(gate.limit, LimitedBy.RAMP, "starting")

    def __repr__(self) -> str:
        return f"<Lane {self.gate!r} by {self.provider!r}>"

    @classmethod
    def open(
        cls,
        name: str,
        provider: Provider,
        terms: GateTerms,
        now: Callable[[], float],
    ) -> Lane:
        """A lane whose gate begins at the bounds' start, for the event loop whose clock `now` is."""
        bounds = terms.bounds
        first = min(max(bounds.start_slots, bounds.min_slots), bounds.max_slots)
        traffic = Traffic()
        return cls(provider, terms, Gate(name, first, now, traffic), traffic)

    @property
    def name(self) -> str:
        return self.gate.name

    @property
    def is_worked_off(self) -> bool:
        """Whether nothing is left to be done here."""
        return self.is_read and not self.in_hand

    def rule(self, load: Load, usage: Usage, company: Company) -> None:
        """Ask the law, and do what it says."""
        gate = self.gate
        is_held = gate.take_paced() or gate.is_held
        seen = observe(load, usage, company, is_held=is_held)
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
        self._hold_to_terms()
        log.info("gate %s: tuned to %s", self.name, tuning.in_words())
        return True

    def take(self, terms: GateTerms) -> None:
        """Other terms from now on; what the operator tunes stays on top of them."""
        if terms != self._given:
            self._given = terms
            self._hold_to_terms()
            log.info("gate %s: %s", self.name, terms)

    def _hold_to_terms(self) -> None:
        tuning, given = self._tuning, self._given
        asked = {name: value for name, value in tuning.asked.items() if name in GateBounds.__slots__}
        bounds = replace(given.bounds, **asked)
        # One bound alone may be tuned past the other; the one that was asked for holds.
        if tuning.max_slots is not None:
            bounds = replace(bounds, min_slots=min(bounds.min_slots, bounds.max_slots))
        else:
            bounds = replace(bounds, max_slots=max(bounds.min_slots, bounds.max_slots))
        self.bounds, self.clocks = bounds, given.clocks
        self._law = given.law if tuning.law is None else LAWS.get(tuning.law, given.law)
        self.gate.pause(paused=bool(tuning.paused))
        # At once, and not by the law's steps: the operator has a reason.
        self.gate.resize(min(max(self.gate.limit, bounds.min_slots), bounds.max_slots))

    def answered(self, message: Message) -> None:
        """The backend has answered an item."""
        self.traffic.pace.spent(_tokens(message))
        self.strikes.answered()
        was_open = self.traffic.breaker.is_open
        self.traffic.answered()
        if was_open:
            self._is_back()

    def failed(self, failure: Failure, id: str, sent_at: float, now: float) -> int:
        """Take in a failed attempt that began at `sent_at`: what it means for everybody. Gives how many of its cause
        there were in a row."""
        was_open = self.traffic.breaker.is_open
        if failure.retry_after:
            self.back_at = max(self.back_at, now + failure.retry_after)
        if wait := self.traffic.failed(failure, id, sent_at, now):
            log.warning("gate %s: the provider does not answer (%s); a probe in %.0f s", self.name, failure.cause, wait)
            self.gate.hold(wait)
        elif was_open and not self.traffic.breaker.is_open:
            self._is_back()
        match failure.cause:
            case Cause.LOCAL:
                self.shrink()
            case Cause.RATE_LIMITED | Cause.OVERLOADED if now - self._cut_at >= CUT_PERIOD:
                self._spare(failure.cause, now)
        return self.strikes.note(failure.cause, id)

    def _spare(self, cause: Cause, now: float) -> None:
        """The provider has enough: of those that were in flight one was too many, or more than that where it is
        overloaded."""
        if cause is Cause.OVERLOADED:
            self._cut_at = now
            self._cut(int(self.gate.in_flight * OVERLOAD_CUT))
        elif self.gate.in_flight >= USED * self.gate.limit and not self.traffic.pace.is_in_truce(now):
            # Fewer than were borne a moment ago are too many only for a rate, and that is the pace's.
            self._cut_at = now
            self._cut(self.gate.in_flight - 1)

    def is_unreached(self, failure: Failure) -> bool:
        """Whether no item is to blame for this: the provider cannot be reached, and is being probed."""
        return failure.cause is Cause.CONNECT and self.traffic.breaker.is_open

    def hold(self, seconds: float, refused_at: float | None, now: float) -> None:
        """Ask nobody for so long; `refused_at` is when a request was sent that a rate limit refused, None for other
        reasons."""
        if refused_at is not None:
            self.traffic.pace.refused(refused_at, now, seconds)
        self.gate.hold(seconds)

    def _told(self, quotas: tuple[Quota, ...], sent_at: float) -> None:
        self.traffic.told(quotas, sent_at, asyncio.get_running_loop().time())
        if self.gate.is_paced:
            self.gate.look_again()

    def _is_back(self) -> None:
        log.info("gate %s: the provider answers again", self.name)
        self.gate.look_again()

    def _cut(self, limit: int) -> None:
        limit = max(self.bounds.min_slots, limit)
        if limit < self.gate.limit:
            log.info("gate %s: %d -> %d slots: the provider has enough", self.name, self.gate.limit, limit)
            self.gate.resize(limit)

    def shrink(self) -> None:
        """This machine cannot bear so many at once (too many open files): one fewer than there are now, the one that
        failed among them."""
        self._cut(self.gate.in_flight - 1)

    def view(self) -> dict[str, Any]:
        """What telemetry and status tell of a gate."""
        limited_by, reason = self._limit()
        told: dict[str, Any] = {
            "slots": self.gate.limit,
            "in_flight": self.gate.in_flight,
            "waiting": self.gate.waiting,
            "min_slots": self.bounds.min_slots,
            "max_slots": self.bounds.max_slots,
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
        if self.traffic.breaker.is_open:
            return LimitedBy.OUTAGE, f"the provider does not answer; next probe in {self.gate.held_seconds:.0f} s"
        if self.gate.is_held:
            return LimitedBy.RATE_LIMIT, f"the provider asks to wait {self.gate.held_seconds:.0f} s"
        if self.gate.is_paced and self.traffic.pace.rate is not None:
            pace = counted(self.traffic.pace.rate * 60, "request")
            return LimitedBy.RATE_LIMIT, f"paced at {pace} a minute, as learned"
        if self.gate.is_paced:
            return LimitedBy.RATE_LIMIT, "paced by what the provider says is left of its limits"
        return self._decision.limited_by, self._decision.reason


def _tokens(message: Message) -> dict[Unit, float]:
    """What an answer took of limits on tokens. What a cache gave counts towards none of them."""
    given = float(sum(told_tokens(message.usage, name) for name in ("input_tokens", "cache_creation_input_tokens")))
    taken = float(message.output_tokens)
    return {Unit.INPUT_TOKENS: given, Unit.OUTPUT_TOKENS: taken, Unit.TOKENS: given + taken}
