"""Wakes playbacks when their next piece is due. Nothing is sent here.

One timer of the loop for all streams: a loop timer each costs 5 us an event more, most of it in comparing handles in
Python. Stale entries stay in the heap until they are due and are then ignored.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

# Measured: a wake-up costs 30 us, so that at 100 streams of 50 tokens a second one each millisecond is a third of the
# whole cost. 4 ms are a fifth of the gap between two such tokens; a lone stream is not held up by it.
_TICK_SECONDS = 0.004


class Sleeper(Protocol):
    """What the pacer wakes: `when` is the time that was asked for, `now` the time that it is."""

    def wake(self, when: float, now: float) -> None: ...


class Pacer:
    """A queue of sleepers by the time at which they want to be woken, in seconds of the loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sleepers: list[tuple[float, int, Sleeper]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Pacer {len(self._sleepers)} sleepers>"

    def time(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def wake_at(self, when: float, sleeper: Sleeper) -> None:
        """Wake it once, then."""
        heappush(self._sleepers, (when, next(self._order), sleeper))
        if self._timer is not None and when < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(when, self._tick)
        elif self._timer is None:
            self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        sleepers = self._sleepers
        now = self._loop.time()
        try:
            while sleepers and sleepers[0][0] <= now:
                when, _, sleeper = heappop(sleepers)
                sleeper.wake(when, now)
        finally:
            # Whatever one of them died of, the others go on.
            self._timer = None
            if sleepers:
                self._timer = self._loop.call_at(max(sleepers[0][0], now + _TICK_SECONDS), self._tick)
