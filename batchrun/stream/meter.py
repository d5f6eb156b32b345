"""What an item costs: its own CPU, the event loop's CPU over the same wall, tokens, time to first token.

Own CPU is measured by stepping the item's coroutine in a wrapper that reads the thread's CPU clock around each step
(0.5 us a reading). Charging an item with what the whole process used meanwhile, as is usually done, charges each of
twenty items in flight for all twenty.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from batchrun.outcome import Measure

T = TypeVar("T")
CpuClock = Callable[[], float]


class Account:
    """CPU seconds charged to one item, over all its steps so far."""

    __slots__ = ("clock", "cpu", "step_began")

    def __init__(self, clock: CpuClock = time.thread_time) -> None:
        self.clock = clock
        self.cpu = 0.0
        self.step_began: float | None = None

    def __repr__(self) -> str:
        return f"<Account {self.cpu:.6f} s>"

    def read(self) -> float:
        """CPU seconds so far, the running step included."""
        running = 0.0 if self.step_began is None else self.clock() - self.step_began
        return self.cpu + running


@types.coroutine
def _stepped(coroutine: Coroutine[Any, Any, T], account: Account) -> Generator[Any, Any, T]:
    thrown: BaseException | None = None
    while True:
        account.step_began = account.clock()
        try:
            # asyncio wakes a task with None or with an exception, and with nothing else.
            awaited = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            account.cpu += account.clock() - account.step_began
            account.step_began = None
        thrown = None
        try:
            yield awaited
        except BaseException as exc:  # noqa: BLE001 - cancellation too has to reach the coroutine where it waits
            thrown = exc


async def charged(coroutine: Coroutine[Any, Any, T], account: Account) -> T:
    """Run a coroutine; every step of it is charged to the account."""
    return await _stepped(coroutine, account)


class Meter:
    """Measures one attempt. `wall` is the event loop's clock, so that a test can turn it by hand."""

    __slots__ = ("_account", "_cpu_began", "_first_token_at", "_loop_began", "_wall", "_wall_began", "chunks")

    def __init__(self, account: Account) -> None:
        self._account = account
        self._wall = asyncio.get_running_loop().time
        self._wall_began = self._wall()
        self._cpu_began = account.read()
        self._loop_began = account.clock()
        self._first_token_at: float | None = None
        self.chunks = 0

    def __repr__(self) -> str:
        return f"<Meter {self._wall() - self._wall_began:.2f} s, {self.chunks} chunks>"

    @property
    def age(self) -> float:
        """Seconds since the attempt began."""
        return self._wall() - self._wall_began

    def content(self) -> float:
        """A piece of the answer has come; gives the age of the attempt."""
        self.chunks += 1
        now = self._wall()
        if self._first_token_at is None:
            self._first_token_at = now
        return now - self._wall_began

    def measure(self, tokens: int) -> Measure:
        """The figures so far. Taken inside the item's own steps, so the loop thread's clock is the one that is read."""
        wall = self.age
        cpu = self._account.read() - self._cpu_began
        loop_cpu = self._account.clock() - self._loop_began
        ttft = None if self._first_token_at is None else self._first_token_at - self._wall_began
        rate = 1.0 / wall if wall > 0 else 0.0
        return Measure(wall, cpu, cpu * rate, loop_cpu * rate, tokens, tokens * rate, ttft, self.chunks)
