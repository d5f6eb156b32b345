"""How often a connection is read, and whom the loop wakes for it. Nothing is read here.

All paced readers of a loop share one grid of moments, so that one timer and one turn of the loop wake many of them: a
reader that is woken among others finds its code in the processor's caches, and costs a third of a lone one.
"""

from __future__ import annotations

import asyncio

GRID = 0.01  # seconds; what is nearer than that to each other is done together
# Readers of the same period stand in so many groups, each with moments of its own: a thousand of them at one moment
# would hold up whatever else the loop has to do.
GROUPS = 3
# What may gather in the kernel between two reads: a quarter of the 128 KB with which Linux begins, for small segments
# take several times their length there. Beyond it the peer would wait for us, or drop what it sent.
MAX_GATHERED = 32 * 1024


class Grid:
    """The moments at which paced readers are woken; one for all connections of a transport."""

    def __init__(self) -> None:
        self._sleepers: dict[int, list[asyncio.Future[None]]] = {}
        self._pacers = 0

    def __repr__(self) -> str:
        return f"<Grid {sum(map(len, self._sleepers.values()))} sleepers at {len(self._sleepers)} moments>"

    def pacer(self) -> Pacer:
        """One more reader, in the next group."""
        self._pacers += 1
        return Pacer(self, self._pacers % GROUPS)

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

    __slots__ = ("_grid", "_group", "_last_read", "_loop", "_share", "is_ahead", "tick")

    def __init__(self, grid: Grid, group: int = 0) -> None:
        self._grid = grid
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._last_read = 0.0
        self._share = 1.0
        self.tick = 0.0
        self.is_ahead = False  # whether bytes come more rarely than they are looked for: then there is nothing to pace

    def __repr__(self) -> str:
        return f"<Pacer {self.tick * 1000:.0f} ms>"

    async def wait(self) -> None:
        """Return when the next read may happen, which is a tick after the last one at the latest."""
        if self.tick <= 0:
            return
        # The longest period that the tick allows and that readers can share.
        step = 1 << max(0, int(self.tick * self._share / GRID / GROUPS).bit_length() - 1)
        after = int(self._loop.time() / GRID + 1e-6) + 1
        place = after + (self._group * step - after) % (GROUPS * step)
        await self._grid.sleep_until(place)
        self._last_read = place * GRID

    def took(self, count: int, *, has_waited: bool) -> None:
        """So many bytes had gathered since the last read, or, where it has waited, came after it."""
        # Where too many had gathered the next wait is shorter.
        self._share = MAX_GATHERED / count if count > MAX_GATHERED else 1.0
        if has_waited and self.tick > 0:
            now = self._loop.time()
            self.is_ahead = now - self._last_read >= self.tick
            self._last_read = now
        else:
            self.is_ahead = False

    def reset(self) -> None:
        """As if nothing had been read: for the next owner of the connection."""
        self.tick = 0.0
        self.is_ahead = False
        self._share = 1.0
        self._last_read = 0.0
