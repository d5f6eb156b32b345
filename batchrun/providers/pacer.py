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
# would hold up whatever else the loop has to do. More of them would each find the code cold in the processor's caches,
# which doubles what a look costs.
GROUPS = 3
# What may gather in the kernel between two looks: a quarter of the 128 KB with which Linux begins, for small segments
# take several times their length there. Beyond it the peer would wait for us, or drop what it sent.
MAX_GATHERED = 32 * 1024

_NEVER = -1
_ROUNDING = 1e-6  # a moment of the grid, told by a clock that counts in fractions of two

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
        pacer.place = place
        self._moment(place).append(pacer)

    def _moment(self, place: int) -> list[Pacer]:
        due = self._due.get(place)
        if due is None:
            due = self._due[place] = []
            asyncio.get_running_loop().call_at(place * GRID, self._look, place)
        return due

    def _look(self, place: int) -> None:
        # What stands here is done for every look, so it is written out: a frame of its own costs a tenth of one.
        now = asyncio.get_running_loop().time()
        after = int(now / GRID + _ROUNDING) + 1
        before = time.thread_time()
        filled, due = -1, []
        for pacer in self._due.pop(place):
            if pacer.place != place:
                continue  # its reader has gone since
            if pacer.look(now):
                pacer.wake()
            else:
                pacer.place = after + (pacer.phase - after) % pacer.period
                if pacer.place != filled:
                    filled, due = pacer.place, self._moment(pacer.place)
                due.append(pacer)
            read = time.thread_time()  # once between two looks
            pacer.spent += read - before
            before = read


class Pacer:
    """Says how often one connection is looked at: at most once per `tick` seconds; 0 means as soon as bytes are
    there.

    The rest is the grid's: `place`, the moment of the next look; `period` and `phase`, in `GRID`s, of those after it;
    `look`, which says whether the reader is wanted; `spent`, CPU seconds of looks for which nobody was charged.
    """

    __slots__ = ("_grid", "_group", "_share", "_waiter", "look", "period", "phase", "place", "spent", "tick")

    def __init__(self, grid: Grid, group: int = 0) -> None:
        self._grid = grid
        self._group = group
        self._waiter: asyncio.Future[None] | None = None
        self.look: Callable[[float], bool] = lambda now: False
        self.place = _NEVER
        self.spent = 0.0
        self.reset()

    def __repr__(self) -> str:
        return f"<Pacer {self.tick * 1000:.0f} ms>"

    def pace(self, tick: float) -> None:
        self.tick = tick
        self.period = _period(int(tick * self._share / GRID + _ROUNDING))
        self.phase = self._group * self.period // GROUPS

    async def gather(self, look: Callable[[float], bool]) -> None:
        """Look once a tick, and return when a look says that the reader is wanted. It is told the loop's time."""
        self.look, charge = look, CHARGE.get()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        after = int(loop.time() / GRID + _ROUNDING) + 1
        self._grid.add(after + (self.phase - after) % self.period, self)
        try:
            await self._waiter
        finally:
            self._waiter, self.place = None, _NEVER
            charge(self.spent)
            self.spent = 0.0

    def wake(self) -> None:
        """For the grid: the reader is wanted."""
        self.place = _NEVER
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def took(self, count: int) -> None:
        """So many bytes had gathered between two looks; where they were too many, the next one comes earlier."""
        self._share = MAX_GATHERED / count if count > MAX_GATHERED else 1.0
        self.pace(self.tick)

    def reset(self) -> None:
        """As if nothing had been read: for the next owner of the connection."""
        self._share = 1.0
        self.pace(0.0)


def _period(places: int) -> int:
    """The longest that is not longer, of 1, 2, 3, 4, 6, 8, 12, 16, 24: multiples of each other, but for few, so that
    the moments of readers with different ones meet."""
    power = 1 << max(0, places.bit_length() - 1)
    return power * 3 // 2 if power > 1 and places >= power * 3 // 2 else power
