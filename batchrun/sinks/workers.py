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
    loop: asyncio.AbstractEventLoop


class Workers:
    """At most `size` threads, started as they are needed. Calls beyond that wait their turn, in order."""

    def __init__(self, size: int = MAX_THREADS) -> None:
        self._size = size
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()  # bounded by the items that are in flight
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # calls that were taken and have not ended, as the event loop knows it

    def __repr__(self) -> str:
        return f"<Workers {len(self._threads)}/{self._size} threads, {self._under_way} calls>"

    async def call(self, name: str, function: Callable[[], T]) -> T:
        """What the function gives. Cancelled, it stops waiting: a call that has begun goes on to its end, one that has
        not is never made.

        Raises:
            SinkFailed: `name`'s, from whatever the function raised.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._under_way += 1
        self._calls.put(_Call(name, function, future, loop))
        if self._under_way > len(self._threads) < self._size:
            self._start_thread()
        return await future

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
            try:
                with Blame(call.name, in_thread=True):
                    result = None if call.future.cancelled() else call.function()
            except SinkFailed as exc:
                failed = exc
            with suppress(RuntimeError):  # the loop is closed: the run was stopped at once, and nobody waits
                call.loop.call_soon_threadsafe(self._settle, call.future, result, failed)

    def _settle(self, future: asyncio.Future[Any], result: object, failed: SinkFailed | None) -> None:
        self._under_way -= 1
        if future.done():  # its task was cancelled meanwhile
            return
        if failed is None:
            future.set_result(result)
        else:
            future.set_exception(failed)
