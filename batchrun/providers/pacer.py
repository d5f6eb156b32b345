"""How often a connection is looked at, and when its reader is woken. What is read is not known here.

A look takes what has gathered in the kernel and costs a few microseconds; to wake the reader costs ten times that. So
looks come as often as the end of the answer must not be missed by, and the reader is woken when a look says so. All
paced readers of a loop share one grid of moments, so that one timer and one turn of the loop look after many of them,
with the code still in the processor's caches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar

GRID = 0.01  # seconds; what is nearer than that to each other is done together
# Readers of the same period stand in so many groups, each with moments of its own: a thousand of them at one moment
# would hold up whatever else the loop has to do.
GROUPS = 3
# What may gather in the kernel between two looks: a quarter of the 128 KB with which Linux begins, for small segments
# take several times their length there. Beyond it the peer would wait for us, or drop what it sent.
MAX_GATHERED = 32 * 1024

Charge = Callable[[float], None]


def _nobody(seconds: float) -> None:
    """Who is charged where nobody has said who reads."""


# Takes the CPU seconds that looks have cost, which happen outside the reader's own steps.
CHARGE: ContextVar[Charge] = ContextVar("charge", default=_nobody)


class Grid:
    """The moments at which paced connections are looked at; one for all connections of a transport."""

    def __init__(self) -> None:
        self._due: dict[int, list[Pacer]] = {}
        self._pacers = 0

    def __repr__(self) -> str:
        return f"<Grid {sum(map(len, self._due.values()))} looks at {len(self._due)} moments>"

    def pacer(self) -> Pacer:
        """One more reader, in the next group."""
        self._pacers += 1
        return Pacer(self, self._pacers % GROUPS)

    def add(self, place: int, pacer: Pacer) -> None:
        """Have it look at that many `GRID`s of the loop's clock."""
        due = self._due.get(place)
        if due is None:
            due = self._due[place] = []
            asyncio.get_running_loop().call_at(place * GRID, self._look, place)
        due.append(pacer)

    def _look(self, place: int) -> None:
        before = time.thread_time()
        for pacer in self._due.pop(place):
            charge = pacer.look(place)
            now = time.thread_time()  # read once between two looks: it costs as much as a tenth of one
            charge(now - before)
            before = now


class Pacer:
    """Says how often one connection is looked at: at most once per `tick` seconds; 0 means as soon as bytes are
    there."""

    __slots__ = ("_charge", "_grid", "_group", "_look", "_loop", "_place", "_share", "_waiter", "tick")

    def __init__(self, grid: Grid, group: int = 0) -> None:
        self._grid = grid
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._place = 0
        self._waiter: asyncio.Future[None] | None = None
        self._look: Callable[[], bool] = bool
        self._charge: Charge = _nobody
        self._share = 1.0
        self.tick = 0.0

    def __repr__(self) -> str:
        return f"<Pacer {self.tick * 1000:.0f} ms>"

    async def gather(self, look: Callable[[], bool]) -> None:
        """Look once a tick, and return when a look says that the reader is wanted."""
        self._look, self._charge = look, CHARGE.get()
        self._waiter = self._loop.create_future()
        self._arm()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def look(self, place: int) -> Charge:
        """For the grid: the moment has come. Gives who is to be charged for it."""
        if self._waiter is None or self._waiter.done() or place != self._place:
            return _nobody  # the reader has gone since
        if self._look():
            self._waiter.set_result(None)
        else:
            self._arm()
        return self._charge

    def took(self, count: int) -> None:
        """So many bytes had gathered since the last look; where they were too many, the next one comes earlier."""
        self._share = MAX_GATHERED / count if count > MAX_GATHERED else 1.0

    def reset(self) -> None:
        """As if nothing had been read: for the next owner of the connection."""
        self.tick = 0.0
        self._share = 1.0

    def _arm(self) -> None:
        after = int(self._loop.time() / GRID + 1e-6) + 1
        places = int(self.tick * self._share / GRID)
        if places < GROUPS:
            self._place = after + max(0, places - 1)
        else:
            # The longest period that the tick allows and that readers can share.
            step = 1 << (places // GROUPS).bit_length() - 1
            self._place = after + (self._group * step - after) % (GROUPS * step)
        self._grid.add(self._place, self)
