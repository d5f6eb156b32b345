"""Threads in which blocking calls are made, so that the event loop never waits for one.

Daemons, unlike those of `concurrent.futures`: a call that never returns must not keep the program from ending.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from batchrun.sinks.blame import Blame
from batchrun.stream.pipe import SinkFailed

T = TypeVar("T")

MAX_THREADS = 32  # what asyncio's own pool has at most; a consumer that blocks mostly waits for somebody else


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    function: Callable[[], Any]
    future: asyncio.Future[Any]
    begun: asyncio.Event
    loop: asyncio.AbstractEventLoop


class Workers:
    """At most `size` threads, started as they are needed. Calls beyond that wait their turn, in order."""

    def __init__(self, size: int = MAX_THREADS) -> None:
        self._size = size
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()  # bounded by the items that are in flight
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # calls that were taken and have not ended, as the event loop knows it
        self._begun = 0  # how often a thread has taken a call

    def __repr__(self) -> str:
        return f"<Workers {len(self._threads)}/{self._size} threads, {self._under_way} calls>"

    async def call(self, name: str, function: Callable[[], T], limit: float | None = None) -> T:
        """What the function gives. Cancelled, it stops waiting: a call that has begun goes on to its end, one that has
        not is never made.

        Args:
            limit: seconds that the call may take, from the moment at which a thread takes it: how many others wait for
                a thread is no fault of its own. None: for ever.

        Raises:
            SinkFailed: `name`'s, from whatever the function raised; or no thread has come free within `limit`.
            TimeoutError: it has not returned within `limit`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        call = _Call(name, function, future, asyncio.Event(), loop)
        self._under_way += 1
        self._calls.put(call)
        if self._under_way > len(self._threads) < self._size:
            self._start_thread()
        try:
            if limit is not None:
                await self._turn_of(call, limit)
            async with asyncio.timeout(limit):
                return await future
        finally:
            future.cancel()

    async def _turn_of(self, call: _Call, limit: float) -> None:
        while not call.begun.is_set():
            begun_before = self._begun
            try:
                async with asyncio.timeout(limit):
                    await call.begun.wait()
            except TimeoutError:
                # Others had their turn meanwhile, or this one has: it is slow going, and nothing hangs.
                if self._begun == begun_before:
                    what = f"no thread has come free within {limit:g} s, for calls that do not return hold them all"
                    raise SinkFailed(f"{call.name}: {what}") from None

    def close(self) -> None:
        """Let idle threads end, and busy ones after their calls. Waits for none of them."""
        for _ in self._threads:
            self._calls.put(None)
        self._threads.clear()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="sink", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            result, failed = None, None
            with suppress(RuntimeError):  # the loop is closed: the run was stopped at once, and nobody waits
                call.loop.call_soon_threadsafe(self._begin, call)
            try:
                with Blame(call.name, in_thread=True):
                    result = None if call.future.cancelled() else call.function()
            except SinkFailed as exc:
                failed = exc
            with suppress(RuntimeError):
                call.loop.call_soon_threadsafe(self._settle, call.future, result, failed)

    def _begin(self, call: _Call) -> None:
        self._begun += 1
        call.begun.set()

    def _settle(self, future: asyncio.Future[Any], result: object, failed: SinkFailed | None) -> None:
        self._under_way -= 1
        if future.done():  # its task was cancelled meanwhile
            return
        if failed is None:
            future.set_result(result)
        else:
            future.set_exception(failed)
