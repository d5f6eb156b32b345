"""The slots of one backend: who may run now. Resizable while running; shrinking lets running work finish.

The gate obeys a limit and holds; it does not decide them (see `law.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from batchrun.gate.usage import Usage


class Slot:
    """The right to one attempt; given back when the `with` around the attempt ends."""

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._give_back()


class Gate:
    """`limit` slots; those who ask again after a failure go before those who ask for the first time."""

    def __init__(self, name: str, limit: int, now: Callable[[], float]) -> None:
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
        self._again: deque[asyncio.Future[bool]] = deque()
        self._first: deque[asyncio.Future[bool]] = deque()
        self._wake: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Gate {self.name} {self.in_flight}/{self.limit}, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        return len(self._again) + len(self._first)

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

    async def admit(self, *, again: bool = False) -> Slot | None:
        """Wait for a slot; None once the gate is closed."""
        if self._is_closed:
            return None
        if not self._is_open or self.waiting:
            queue = self._again if again else self._first
            if not await self._queue_up(queue):
                return None
        else:
            self._take()
        return Slot(self._give_back)

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
        if self._wake is not None:
            self._wake.cancel()
        for queue in (self._again, self._first):
            while queue:
                _answer(queue.popleft(), admitted=False)

    @property
    def _is_open(self) -> bool:
        return self.in_flight < self.limit and not self.is_held and not self._is_paused

    async def _queue_up(self, queue: deque[asyncio.Future[bool]]) -> bool:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn in queue:
                queue.remove(turn)
            elif turn.done() and not turn.cancelled() and turn.result():
                # Admitted and cancelled in the same turn of the loop: the slot must not be lost.
                self._give_back()
            raise

    def _count(self) -> None:
        now = self._now()
        self._taken_seconds += self.in_flight * (now - self._changed_at)
        self._changed_at = now

    def _take(self) -> None:
        self._count()
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def _give_back(self) -> None:
        self._count()
        self._ended += 1
        self.in_flight -= 1
        self._admit_waiting()

    def _end_hold(self) -> None:
        # A loop's timer may fire a tick of the clock early, and nobody would wake those who wait a second time.
        self._held_until = 0.0
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        while self._is_open and self.waiting:
            turn = (self._again or self._first).popleft()
            if not turn.done():
                self._take()
                _answer(turn, admitted=True)


def _answer(turn: asyncio.Future[bool], *, admitted: bool) -> None:
    if not turn.done():
        turn.set_result(admitted)
