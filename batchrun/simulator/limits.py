"""How much a client may ask for in a minute: token buckets, which fill up steadily and are emptied by what is admitted.

Pure: the time comes in as an argument, in seconds of any clock that goes on. What is told of it on each wire stands in
`limit_headers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchrun.simulator.scenario import Scenario

REQUESTS, INPUT_TOKENS, OUTPUT_TOKENS = "requests", "input-tokens", "output-tokens"
_SECONDS = 60.0
# In seconds: a client that waits as long as it was told must not be refused for a rounding.
_DUST = 1e-6


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands: `limit` a minute, `remaining` at this moment, and in how many seconds it is full again."""

    bucket: str
    limit: float
    remaining: float
    full_in: float


class Bucket:
    """`per_minute` flow in, steadily; it holds what flows in within `burst_seconds`, and is full at first.

    What costs more than it can hold is admitted when it is full, and puts it into debt.
    """

    def __init__(self, per_minute: float, burst_seconds: float, now: float) -> None:
        self._per_second = per_minute / _SECONDS
        self._capacity = self._per_second * burst_seconds
        self._level = self._capacity
        self._at = now

    def __repr__(self) -> str:
        return f"<Bucket {self._level:.1f} of {self._capacity:.1f}>"

    def wait(self, cost: float, now: float) -> float:
        """Seconds until so much can be taken; 0 for at once."""
        wait = (min(cost, self._capacity) - self._filled(now)) / self._per_second
        return wait if wait > _DUST else 0.0

    def take(self, cost: float, now: float) -> None:
        self._filled(now)
        self._level -= cost

    def standing(self, name: str, now: float) -> Standing:
        level = self._filled(now)
        full_in = (self._capacity - level) / self._per_second
        return Standing(name, self._per_second * _SECONDS, max(0.0, level), full_in)

    def _filled(self, now: float) -> float:
        # A clock that is set back fills nothing and takes nothing away.
        grown = max(0.0, now - self._at) * self._per_second
        self._level = min(self._capacity, self._level + grown)
        self._at = max(now, self._at)
        return self._level


class Limits:
    """The buckets of one client; a limit of 0 is none."""

    def __init__(self, scenario: Scenario, now: float) -> None:
        limits = {
            REQUESTS: scenario.requests_per_minute,
            INPUT_TOKENS: scenario.input_tokens_per_minute,
            OUTPUT_TOKENS: scenario.output_tokens_per_minute,
        }
        self._buckets = {
            name: Bucket(limit, scenario.burst_seconds, now) for name, limit in limits.items() if limit > 0
        }

    def __repr__(self) -> str:
        return f"<Limits {self._buckets}>"

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._buckets)

    def admit(self, costs: Mapping[str, float], now: float) -> float:
        """Take the costs out of all buckets, 0 being the answer; or take nothing, and tell how many seconds it is until
        all of them can pay. Who is refused pays nothing."""
        wait = max((bucket.wait(costs[name], now) for name, bucket in self._buckets.items()), default=0.0)
        if wait == 0:
            for name, bucket in self._buckets.items():
                bucket.take(costs[name], now)
        return wait

    def standings(self, now: float) -> list[Standing]:
        """How each limit stands."""
        return [bucket.standing(name, now) for name, bucket in self._buckets.items()]
