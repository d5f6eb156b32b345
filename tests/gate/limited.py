"""A provider that allows so many requests a minute, and a client that asks it as a gate lets it, in a time of its own.

A discrete simulation: no loop, no waiting; ten minutes take a fraction of a second.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count

from batchrun.gate.pace import Pace
from batchrun.providers.quota import Quota, Unit

HEARING = 0.05  # seconds from a request to its refusal, or to the head of its answer


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token bucket: `a_minute` requests, of which `saved` may be saved up. `tells_wait`: a refusal says how long, in
    whole seconds; `tells_left`: each answer says what is left. `strays` is the share that is refused for no reason."""

    a_minute: float
    saved: float
    tells_wait: bool = False
    tells_left: bool = False
    strays: float = 0.0


@dataclass(slots=True)
class Night:
    """What came of it."""

    answered: int = 0
    refused: int = 0

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.answered + self.refused)


class Provider:
    """Says of each request whether it is admitted, and what is left."""

    def __init__(self, allowance: Allowance, dice: random.Random) -> None:
        self._allowance = allowance
        self._dice = dice
        self._left = allowance.saved
        self._at = 0.0
        self._rate = allowance.a_minute / 60

    def admits(self, now: float) -> bool:
        self._left = min(self._allowance.saved, self._left + self._rate * (now - self._at))
        self._at = now
        if self._left < 1 or self._dice.random() < self._allowance.strays:
            return False
        self._left -= 1
        return True

    def wait(self) -> float:
        """What a client waits after a refusal: what it is told, else a short random backoff."""
        if self._allowance.tells_wait:
            return max(1.0, math.ceil((1 - self._left) / self._rate))
        return 0.25 * self._dice.random()

    def quota(self) -> Quota:
        saved = self._allowance.saved
        return Quota(Unit.REQUESTS, saved, math.floor(self._left), (saved - self._left) / self._rate)


class Client:
    """Keeps `slots` requests on their way as far as the pace lets it; each takes about `latency` seconds. `later` says
    from which second on how many slots there are: an operator pauses the run, or the machine has other work."""

    def __init__(
        self,
        allowance: Allowance,
        pace: Pace,
        slots: int = 64,
        latency: float = 0.5,
        seed: int = 1,
        later: Mapping[float, int] | None = None,
    ) -> None:
        self._dice = random.Random(seed)
        self._provider = Provider(allowance, self._dice)
        self._tells_left = allowance.tells_left
        self._pace = pace
        self._slots = slots
        self._latency = latency
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._in_flight = 0
        self._held_until = 0.0
        self._tries_at = -1.0
        self.night = Night()
        for when, many in (later or {}).items():
            self._at(when, partial(self._resize, many))

    def run(self, seconds: float) -> Night:
        self._at(0.0, lambda now: None)
        while self._events[0][0] <= seconds:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
            self._ask(now)
        return self.night

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _resize(self, slots: int, now: float) -> None:
        self._slots = slots

    def _ask(self, now: float) -> None:
        while self._in_flight < self._slots:
            wait = max(self._pace.wait(now), self._held_until - now)
            if wait > 1e-9:
                if self._tries_at <= now:
                    self._tries_at = now + max(wait, 0.001)
                    self._at(self._tries_at, lambda now: None)
                return
            self._send(now)

    def _send(self, now: float) -> None:
        self._pace.sent(now)
        self._in_flight += 1
        if not self._provider.admits(now + HEARING / 2):
            self.night.refused += 1
            hold = self._provider.wait()
            self._at(now + HEARING, lambda then: self._refuse(now, then, hold))
            return
        self.night.answered += 1
        if self._tells_left:
            quota = self._provider.quota()
            self._at(now + HEARING, lambda then: self._pace.told([quota], now, then))
        self._at(now + self._latency * self._dice.uniform(0.7, 1.3), self._end)

    def _refuse(self, sent_at: float, now: float, hold: float) -> None:
        self._pace.refused(sent_at, now, hold)
        self._held_until = max(self._held_until, now + hold)
        self._end(now)

    def _end(self, now: float) -> None:
        self._in_flight -= 1
