"""The streams of one gate as a liquid, and the player who opens and shuts it by a law. Pure.

What flows into a slot waits for its first token, a dead time, and is then answered in two stages, so that answers are
neither all of one length nor without memory.
"""

from __future__ import annotations

import math

from batchrun.bench.world import Source
from batchrun.gate.law import Law
from batchrun.gate.memory import START

EMPTY = 0.5  # items in flight: with less than half of one nothing is left
STILL = 1e-4  # what changes by so little in a period does not change any more


class Flow:
    """`backlog` is what has not been begun, `first` and `second` what is being answered, in items."""

    __slots__ = ("answered", "backlog", "first", "in_flight", "place", "quick", "rate", "second", "waiting")

    def __init__(self, source: Source, backlog: float, step: float) -> None:
        self.waiting = [0.0] * max(1, round(source.latency / step))
        self.place = 0
        self.first = self.second = self.in_flight = self.answered = 0.0
        self.backlog = backlog
        self.rate = math.inf if source.rate is None else source.rate * step
        self.quick = 2.0 * step / source.answer

    def __repr__(self) -> str:
        return f"<Flow {self.in_flight:.1f} in flight, {self.answered:.0f} answered>"

    @property
    def streams(self) -> float:
        """What is being answered now."""
        return self.first + self.second

    def go(self, limit: float, pace: float) -> float:
        """One step at so much of the full pace; gives what has ended in it."""
        out = self.second * self.quick * pace
        through = self.first * self.quick * pace
        waiting, place = self.waiting, self.place
        come = waiting[place]
        self.second += through - out
        self.first += come - through
        self.answered += out
        in_flight = self.in_flight - out
        taken = min(limit - in_flight, self.rate, self.backlog)
        if taken > 0.0:
            self.backlog -= taken
            in_flight += taken
        else:
            taken = 0.0
        waiting[place] = taken
        self.place = place + 1 if place + 1 < len(waiting) else 0
        self.in_flight = in_flight
        return out


class Player:
    """One gate, the law that rules it (None: the limit stays), and what became of it, period by period.

    `full` is how many periods had work left for every slot, `seconds` when the last item was answered; for ever if the
    machine ran out of memory and everybody was killed. `words` say what limited. Its streams cost `cost` times what the
    world's do.
    """

    def __init__(
        self, law: Law | None, limit: int, backlog: float = math.inf, begins: float = 0.0, cost: float = 1.0
    ) -> None:
        self.law = law
        self.cost = cost
        self.limit = limit
        self.backlog = backlog
        self.begins = begins
        self.flow = Flow(Source(), 0.0, 1.0)
        self.memory = START
        self.smoothed: float | None = None
        self.samples = 0
        self.ended = self.used = self.own = 0.0
        self.whole = self.want = 0.0  # what its streams would use, and what its event loop bears of that, in points
        self.is_done = False
        self.seconds = 0.0
        self.full = 0
        self.limits: list[int] = []
        self.owns: list[float] = []
        self.words: list[str] = []

    def __repr__(self) -> str:
        return f"<Player {self.limit} slots, {self.flow!r}>"

    def note(self, now: float) -> None:
        """A period has passed."""
        if self.is_done:
            return
        self.limits.append(self.limit)
        self.owns.append(self.own)
        self.seconds = now
        if self.flow.backlog > 0.0:
            self.full += 1
        elif self.flow.in_flight < EMPTY:
            self.is_done = True

    def kill(self) -> None:
        """Out of memory."""
        self.is_done = True
        self.seconds = math.inf

    def leap(self, periods: int, seconds: float) -> None:
        """So many periods more, of so many seconds together, that are all alike."""
        self.seconds += seconds
        self.limits += [self.limit] * periods
        self.owns += [self.own] * periods
        self.full += periods
        self.flow.answered += self.ended * periods
        self.flow.backlog -= self.ended * periods
