"""What an item costs: its own CPU, the event loop's CPU over the same wall, tokens, time to first token.

Own CPU is measured by stepping the item's coroutine in a wrapper that reads the thread's CPU clock around each step
(0.5 us a reading). Charging an item with what the whole process used meanwhile, as is usually done, charges each of
twenty items in flight for all twenty.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from batchrun.outcome import Measure

T = TypeVar("T")
CpuClock = Callable[[], float]


class Account:
    """CPU seconds charged to one item, over all its steps so far. `step_began` is by the clock, None between steps."""

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


class _Charged(Coroutine[Any, Any, T], Generator[Any, Any, T]):
    """A coroutine each step of which is charged. A class and no generator function: a task may be cancelled before its
    first step, and what has not begun would not hand the cancellation on to the coroutine inside."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], account: Account) -> None:
        self.__qualname__ = getattr(coroutine, "__qualname__", "")  # the name in asyncio's own messages
        self._coroutine = coroutine
        self._account = account

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        # Written out, and not as a context manager of the account: it is done at every step of every stream.
        account = self._account
        account.step_began = began = account.clock()
        try:
            return self._coroutine.send(value)
        finally:
            account.cpu += account.clock() - began
            account.step_began = None

    def throw(self, *raised: Any) -> Any:
        account = self._account
        account.step_began = began = account.clock()
        try:
            return self._coroutine.throw(*raised)
        finally:
            account.cpu += account.clock() - began
            account.step_began = None

    def close(self) -> None:
        self._coroutine.close()


def charged(coroutine: Coroutine[Any, Any, T], account: Account) -> Coroutine[Any, Any, T]:
    """The same coroutine, every step of it charged to the account."""
    return _Charged(coroutine, account)


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

    def charge(self, seconds: float) -> None:
        """What was done for the item outside its own steps."""
        self._account.cpu += seconds

    def content(self, pieces: int = 1) -> float:
        """So many pieces of the answer have come; gives the age of the attempt."""
        self.chunks += pieces
        now = self._wall()
        if self._first_token_at is None:
            self._first_token_at = now
        return now - self._wall_began

    def measure(self, tokens: int, held_up: float = 0.0) -> Measure:
        """The figures so far; `held_up` seconds of them were the consumer's.

        Taken inside the item's own steps, so the loop thread's clock is the one that is read.
        """
        wall = self.age
        cpu = self._account.read() - self._cpu_began
        loop_cpu = self._account.clock() - self._loop_began
        ttft = None if self._first_token_at is None else self._first_token_at - self._wall_began
        rate = 1.0 / wall if wall > 0 else 0.0
        return Measure(wall, cpu, cpu * rate, loop_cpu * rate, tokens, tokens * rate, ttft, self.chunks, held_up)
