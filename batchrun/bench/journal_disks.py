"""Disks for `bench journal`, a journal on one of them, and the outcomes that it keeps. No SDK here, and no streams."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from batchrun.bench.journal import SLOW, JournalPlan
from batchrun.item import timestamp
from batchrun.jobs.job import DEFAULT_MODEL
from batchrun.journal.disk import Disk, durable
from batchrun.journal.record import Header
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Measure, Outcome, Status

PROBES = 30


class CountingDisk(Disk):
    """The real disk; counts what was made durable."""

    def __init__(self) -> None:
        self.syncs = 0

    def sync(self, fd: int) -> None:
        self.syncs += 1
        super().sync(fd)


class SlowDisk(CountingDisk):
    """Each fsync takes so long, whatever this disk could do."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def sync(self, fd: int) -> None:
        self.syncs += 1
        time.sleep(self._seconds)


def disk_of(way: str, plan: JournalPlan) -> CountingDisk:
    return SlowDisk(plan.sync_ms / 1000) if way == SLOW else CountingDisk()


def open_journal(place: Path, disk: Disk, stack: ExitStack) -> Journal:
    """Closed with the stack."""
    header = Header("bench", "", "", timestamp(), simulated=True)
    return stack.enter_context(Journal.open(StateDir(place), header, disk))


def outcome_of(number: int, text: str, measure: Measure) -> Outcome:
    return Outcome(
        id=f"item-{number:06d}",
        status=Status.DONE,
        final=True,
        measure=measure,
        attempts=1,
        elapsed=measure.wall,
        wasted_tokens=0,
        backend="bench",
        model=DEFAULT_MODEL,
        request=f"{number:016x}",
        started=timestamp(),
        finished=timestamp(),
        stop_reason="end_turn",
        text=text,
        content=[{"type": "text", "text": text}],
        usage={"input_tokens": 20, "output_tokens": measure.tokens},
    )


def sync_seconds(place: Path) -> float:
    """What an fdatasync behind a small write takes here, as the median of some."""
    path, took = place / "probe", []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(PROBES):
            os.write(fd, b"x" * 1000)
            began = time.perf_counter()
            durable(fd)
            took.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink()
    return median(took)
