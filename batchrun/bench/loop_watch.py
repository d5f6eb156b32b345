"""What the event loop and its thread feel while something is measured: how late timers are, and whose CPU was used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from batchrun.bench.worker import Figures

LOOK_SECONDS = 0.005  # between two looks at the loop's clock


class LoopWatch:
    """`figures` are there when the watching is over: `lags` and `total_seconds` in seconds, `loop_cpu` of the loop's
    thread, `other_cpu` of all others."""

    def __init__(self) -> None:
        self.figures: Figures = {}
        self._lags: list[float] = []

    async def look(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._lags.append(max(0.0, now() - due))

    def end(self, seconds: float, loop_cpu: float, cpu: float) -> None:
        other = max(0.0, cpu - loop_cpu)
        self.figures = {"lags": self._lags, "total_seconds": seconds, "loop_cpu": loop_cpu, "other_cpu": other}


@asynccontextmanager
async def watched_loop() -> AsyncIterator[LoopWatch]:
    """Watch for as long as the block lasts."""
    watch = LoopWatch()
    began, loop_cpu, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(watch.look())
        yield watch
        looking.cancel()
    watch.end(time.perf_counter() - began, time.thread_time() - loop_cpu, time.process_time() - cpu)
