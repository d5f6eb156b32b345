"""The slots of one backend: who may run now. Resizable while running; shrinking lets running work finish.

The gate obeys a limit, holds and the traffic's waits; it does not decide them (see `law.py` and `traffic.py`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from batchrun.gate.traffic import Traffic, Turn
from batchrun.gate.usage import Usage

_Waiter = asyncio.Future[float | None]  # since when it has a slot; None: it gets none


# A timer may be so much early: it is not worth another one.
_SOON = 1e-6


class Slot:
    """The right to one attempt, since a moment of the gate's clock; given back when the `with` around it ends."""

    __slots__ = ("_give_back", "since")

    def __init__(self, give_back: Callable[[], None], since: float) -> None:
        self._give_back = give_back
        self.since = since

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._give_back()


class Gate:
    """`limit` slots; those who ask again after a failure go before those who ask for the first time. `traffic` may keep
    them waiting though there are slots; None: nobody does."""

    def __init__(self, name: str, limit: int, now: Callable[[], float], traffic: Traffic | None = None) -> None:
        self.name = name
        self.limit = limit
        self.in_flight = 0
        self._peak = 0
        self._ended = 0
        self._taken_seconds = 0.0  # of all slots, up to the last change
        self._counted_from = self._changed_at = now()
        self._now = now
        self._held_until = 0.0
        self._is_closed = False
        self._is_paused = False
        self._traffic = traffic
        self._queues: dict[Turn, deque[_Waiter]] = {turn: deque() for turn in Turn}
        self._was_paced = False
        self._wake: asyncio.TimerHandle | None = None
        self._traffic_wake: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Gate {self.name} {self.in_flight}/{self.limit}, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def is_held(self) -> bool:
        return self._held_until > self._now()

    @property
    def held_seconds(self) -> float:
        """How long the hold will still last; 0 for none."""
        return max(0.0, self._held_until - self._now())

    @property
    def is_closed(self) -> bool:
        """Whether nobody will be admitted any more."""
        return self._is_closed

    @property
    def is_paused(self) -> bool:
        """Whether the operator wants nothing admitted, until he says otherwise."""
        return self._is_paused

    def pause(self, *, paused: bool) -> None:
        """Admit nobody from now on, or somebody again; what runs runs to its end."""
        self._is_paused = paused
        self._admit_waiting()

    def take_usage(self) -> Usage:
        """How the slots were used since the last call."""
        self._count()
        seconds = self._changed_at - self._counted_from
        mean = self._taken_seconds / seconds if seconds > 0 else float(self.in_flight)
        usage = Usage(self._peak, mean, self._ended)
        self._peak, self._ended, self._taken_seconds = self.in_flight, 0, 0.0
        self._counted_from = self._changed_at
        return usage

    def take_paced(self) -> bool:
        """Whether anybody had to wait for the traffic, though there was a slot, since the last call."""
        was_paced, self._was_paced = self._was_paced, self.is_paced
        return was_paced

    async def admit(self, turn: Turn = Turn.FIRST) -> Slot | None:
        """Wait for a slot; None once the gate is closed."""
        if self._is_closed:
            return None
        if self.waiting or not self._has_room or self._wait_of(turn) > _SOON:
            since = await self._queue_up(self._queues[turn])
        else:
            since = self._take(turn)
        return None if since is None else Slot(self._give_back, since)

    def resize(self, limit: int) -> None:
        """Change the limit; what runs above a smaller one runs to its end."""
        self.limit = limit
        self._admit_waiting()

    def hold(self, seconds: float) -> None:
        """Admit nobody for so long. A shorter hold never cuts a longer one."""
        until = self._now() + seconds
        if until <= self._held_until:
            return
        self._held_until = until
        if self._wake is not None:
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_later(seconds, self._end_hold)

    def close(self) -> None:
        """Admit nobody any more; those who wait are told so."""
        self._is_closed = True
        for timer in (self._wake, self._traffic_wake):
            if timer is not None:
                timer.cancel()
        for queue in self._queues.values():
            while queue:
                _answer(queue.popleft(), None)

    def look_again(self) -> None:
        """The traffic may be freer than it was."""
        self._admit_waiting()

    @property
    def _has_room(self) -> bool:
        return self.in_flight < self.limit and not self.is_held and not self._is_paused

    @property
    def is_paced(self) -> bool:
        """Whether somebody waits for the traffic, though there is a slot."""
        return self._traffic_wake is not None

    def _wait_of(self, turn: Turn) -> float:
        if self._traffic is None:
            return 0.0
        return self._traffic.wait(turn, self._now(), is_alone=self.in_flight == 0)

    async def _queue_up(self, queue: deque[_Waiter]) -> float | None:
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        self._admit_waiting()  # whoever waits for the traffic needs somebody who set a timer
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in queue:
                queue.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.result() is not None:
                # Admitted and cancelled in the same turn of the loop: the slot must not be lost.
                self._give_back()
            raise

    def _count(self) -> None:
        now = self._now()
        self._taken_seconds += self.in_flight * (now - self._changed_at)
        self._changed_at = now

    def _take(self, turn: Turn) -> float:
        self._count()
        now = self._changed_at
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        if self._traffic is not None:
            self._traffic.sent(turn, now)
        return now

    def _give_back(self) -> None:
        self._count()
        self._ended += 1
        self.in_flight -= 1
        self._admit_waiting()

    def _end_hold(self) -> None:
        # A loop's timer may fire a tick of the clock early, and nobody would wake those who wait a second time.
        self._held_until = 0.0
        self._admit_waiting()

    def _end_wait(self) -> None:
        self._traffic_wake = None
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        if self._traffic_wake is not None:
            self._traffic_wake.cancel()
            self._traffic_wake = None
        while self._has_room and not self._is_closed:
            turn = self._next()
            if turn is None:
                return
            waiter = self._queues[turn].popleft()
            if not waiter.done():
                _answer(waiter, self._take(turn))

    def _next(self) -> Turn | None:
        """Who goes next; None where nobody may, and then somebody looks again as soon as one may."""
        soonest = math.inf
        for turn in Turn if self._traffic is None else self._traffic.order:
            if self._queues[turn]:
                wait = self._wait_of(turn)
                if wait <= _SOON:
                    return turn
                soonest = min(soonest, wait)
        if soonest < math.inf:
            self._was_paced = True
            self._traffic_wake = asyncio.get_running_loop().call_later(soonest, self._end_wait)
        return None


def _answer(waiter: _Waiter, since: float | None) -> None:
    if not waiter.done():
        waiter.set_result(since)
