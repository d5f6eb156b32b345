"""How often a connection is read, and whom the loop wakes for it. Nothing is read here.

All paced readers of a loop share one grid of moments, so that one timer and one turn of the loop wake many of them.
"""

from __future__ import annotations

import asyncio
import math

GRID = 0.01  # seconds; without it a hundred streams make a hundred turns of the loop where ten would do
# What may gather in the kernel between two reads: a quarter of the 128 KB with which Linux begins, for small segments
# take several times their length there. Beyond it the peer would wait for us, or drop what it sent.
MAX_GATHERED = 32 * 1024
_GOLDEN = 0.6180339887  # the multiples of it, taken modulo 1, are spread evenly however many there are


class Grid:
    """The moments at which paced readers are woken; one for all connections of a transport."""

    def __init__(self) -> None:
        self._sleepers: dict[int, list[asyncio.Future[None]]] = {}
        self._pacers = 0

    def __repr__(self) -> str:
        return f"<Grid {sum(map(len, self._sleepers.values()))} sleepers at {len(self._sleepers)} moments>"

    def pacer(self) -> Pacer:
        """One more reader, out of step with the others: streams that began together are not read together."""
        self._pacers += 1
        return Pacer(self, self._pacers * _GOLDEN % 1.0)

    async def sleep_until(self, place: int) -> None:
        """Return at that many `GRID`s of the loop's clock."""
        loop = asyncio.get_running_loop()
        sleepers = self._sleepers.get(place)
        if sleepers is None:
            sleepers = self._sleepers[place] = []
            loop.call_at(place * GRID, self._wake, place)
        sleeper = loop.create_future()
        sleepers.append(sleeper)
        await sleeper

    def _wake(self, place: int) -> None:
        for sleeper in self._sleepers.pop(place):
            if not sleeper.done():  # cancelled
                sleeper.set_result(None)


class Pacer:
    """Says how often one connection is read: at most once per `tick` seconds; 0 means as soon as bytes are there."""

    __slots__ = ("_grid", "_last_read", "_share", "_step", "tick")

    def __init__(self, grid: Grid, step: float = 1.0) -> None:
        self._grid = grid
        self._step = step
        self._last_read: float | None = None
        self._share = 1.0
        self.tick = 0.0

    def __repr__(self) -> str:
        return f"<Pacer {self.tick * 1000:.0f} ms>"

    async def wait(self) -> None:
        """Return when the next read may happen."""
        if self.tick <= 0:
            return
        now = asyncio.get_running_loop().time()
        last = self._last_read
        due = now + self.tick * self._step if last is None else last + self.tick * self._share
        if due <= now:
            self._last_read = now
            return
        place = math.ceil(due / GRID)
        await self._grid.sleep_until(place)
        self._last_read = place * GRID

    def took(self, count: int) -> None:
        """So many bytes had gathered since the last read; where they were too many, the next wait is shorter."""
        self._share = min(1.0, MAX_GATHERED / count) if count else 1.0

    def reset(self) -> None:
        """As if nothing had been read: for the next owner of the connection."""
        self.tick = 0.0
        self._share = 1.0
        self._last_read = None
