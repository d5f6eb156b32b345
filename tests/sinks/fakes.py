"""Sinks that tell their story by their name, and items for them. Times are in seconds of the loop's clock."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from batchrun.outcome import Status
from batchrun.sinks.sink import SinkItem
from batchrun.stream.pipe import SinkFailed


def on_its_way(id: str = "a", attempt: int = 1) -> SinkItem:
    """An item whose answer is coming."""
    return SinkItem(id, attempt, "claude-haiku-5-5")


def an_answer(text: str = "Hello", id: str = "a", status: Status = Status.DONE, **fields: Any) -> SinkItem:
    """An item with its answer."""
    return SinkItem(id, 1, "claude-haiku-5-5", status=status, text=text, stop_reason="end_turn", **fields)


class SinkThatRemembers:
    """Takes everything, at its own pace; `told` is what it was told, as words."""

    name = "memory"

    def __init__(self, *, wants_deltas: bool = True, seconds_a_call: float = 0.0) -> None:
        self.wants_deltas = wants_deltas
        self.told: list[str] = []
        self.delivered: list[SinkItem] = []
        self._seconds_a_call = seconds_a_call

    async def open(self) -> None:
        self.told.append("open")

    async def delta(self, item: SinkItem, text: str) -> None:
        await self._take(f"{item.id}/{item.attempt} {text}")

    async def deliver(self, item: SinkItem) -> None:
        await self._take(f"{item.id}/{item.attempt} is {item.status}: {item.text}")
        self.delivered.append(item)

    async def abort(self, item: SinkItem) -> None:
        await self._take(f"{item.id}/{item.attempt} is void")

    async def close(self) -> None:
        self.told.append("close")

    async def _take(self, words: str) -> None:
        await asyncio.sleep(self._seconds_a_call)
        self.told.append(words)


class SinkThatFails(SinkThatRemembers):
    """Fails once it was told so many things."""

    name = "broken"

    def __init__(self, *, after: int = 0, wants_deltas: bool = True, seconds_a_call: float = 0.0) -> None:
        super().__init__(wants_deltas=wants_deltas, seconds_a_call=seconds_a_call)
        self._after = after

    async def _take(self, words: str) -> None:
        await super()._take(words)
        if len(self.told) > self._after:
            raise SinkFailed(f"{self.name}: it failed at {words!r}")


class Rendezvous:
    """Where a call in a thread and the loop meet: the loop learns that it has begun, and lets it end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.release = threading.Event()
        self._loop = asyncio.get_running_loop()

    def wait_in_thread(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.release.wait(timeout=10)
