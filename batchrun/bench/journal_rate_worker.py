"""The finishes of `bench journal`, at a given rate on each disk in turn. No streams, and so no SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from batchrun.bench.journal import HERE, SLOW, JournalPlan
from batchrun.bench.journal_disks import disk_of, open_journal, outcome_of, sync_seconds
from batchrun.bench.loop_watch import watched_loop
from batchrun.bench.worker import Figures, be_worker
from batchrun.journal.writer import Journal
from batchrun.outcome import Measure

TICK_SECONDS = 0.01  # finishes come in small heaps, as answers do
TEXT = "Some forty words of an answer, as a run would keep them, none of which is the same as in the next one. " * 2
MEASURE = Measure(3.2, 0.004, 0.0012, 0.3, 60, 20.0, 0.2, 60)


async def finishes(plan: JournalPlan, journal: Journal) -> Figures:
    """So many a second, whether or not the ones before are durable."""
    now = asyncio.get_running_loop().time
    waits: list[float] = []
    held_back = 0

    async def finish(number: int) -> None:
        began = now()
        await journal.commit(outcome_of(number, f"{TEXT}{number}", MEASURE))
        waits.append(now() - began)

    async with watched_loop() as watch:
        start, handed = now(), 0
        async with asyncio.TaskGroup() as group:
            while handed < plan.rate * plan.seconds:
                await asyncio.sleep(max(0.0, start + handed / plan.rate + TICK_SECONDS - now()))
                held_back += not journal.has_room()
                due = min(int((now() - start) * plan.rate), int(plan.rate * plan.seconds))
                for number in range(handed, due):
                    group.create_task(finish(number))
                handed = due
            last = now()
        behind = now() - last
    return watch.figures | {"waits": waits, "held_back": held_back, "behind": behind}


async def measure(order: Mapping[str, Any]) -> Figures:
    """Disk by disk."""
    plan, place = JournalPlan(**order["plan"]), Path(order["place"])
    seconds = sync_seconds(place)
    told: Figures = {}
    for way in (HERE, SLOW):
        disk = disk_of(way, plan)
        with ExitStack() as stack:
            journal = open_journal(place / f"finishes on {way}", disk, stack)
            before = disk.syncs
            figures = await finishes(plan, journal)
        told[way] = figures | {"commits": (disk.syncs - before) // 2, "sync_seconds": seconds}
    return told


if __name__ == "__main__":
    be_worker(measure)
