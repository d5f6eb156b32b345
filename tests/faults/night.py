"""A bad night: the real provider and a real engine against an embedded provider in a process of its own, and what they
leave behind. Only the disk and the load of the machine are told."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from batchrun.gate.law import GateBounds
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import check_jobs
from batchrun.outcome import Outcome, Status
from batchrun.providers.open import open_provider
from batchrun.providers.provider import BackendConfig, Provider
from batchrun.retry import RetryPolicy
from batchrun.simulator.answers import answer_for
from batchrun.simulator.process import SimulatorProcess, start_simulator
from batchrun.stream.clocks import ClockLimits
from tests.fakes import Stage, StoreInMemory

# 20 % 429, 5 % 529, 5 % truncations, 5 % resets, 1 % silences, 2 % malformed.
RATES = {"429": 0.20, "529": 0.05, "truncated": 0.05, "reset": 0.05, "silence": 0.01, "malformed": 0.02}
SCENARIO = {"ttft": 0.0, "tokens_per_second": 0.0, "retry_after": 0.01, "rates": RATES}
CLOCKS = ClockLimits(connect=10.0, first_byte=2.0, idle=2.0, stall=10.0, total=60.0)
# With 8 of them one item of a hundred thousand runs out of attempts in such a night.
POLICY = RetryPolicy(max_attempts=14, base=0.01, cap=0.2)


@contextmanager
def bad_provider(place: Path, seed: int, **settings: Any) -> Iterator[SimulatorProcess]:
    scenario = place / f"night-{seed}.json"
    scenario.write_bytes(orjson.dumps({**SCENARIO, "seed": seed, **settings}))
    with start_simulator(str(scenario)) as process:
        yield process


def provider_of(process: SimulatorProcess, max_slots: int) -> Provider:
    return open_provider(BackendConfig(base_url=process.base_url, simulated=True), max_slots)


class StoreThatChecks(StoreInMemory):
    """Keeps no text, only whether it was the right one: what grows in memory is not the test."""

    def __init__(self, expected: dict[str, int]) -> None:
        super().__init__()
        self._expected = expected
        self.wrong: list[str] = []
        self.answered: set[str] = set()
        self.retried = 0

    async def commit(self, outcome: Outcome) -> None:
        is_right = outcome.status is Status.DONE and hash(outcome.text) == self._expected[outcome.id]
        if not is_right or outcome.id in self.answered:
            self.wrong.append(f"{outcome.id}: {outcome.status} {outcome.error}")
        self.answered.add(outcome.id)
        self.retried += sum(outcome.retried.values())


class NightStage(Stage):
    """An engine over so many items, numbered from `first`."""

    def __init__(self, place: Path, answering: Provider, first: int, count: int, slots: int) -> None:
        place.mkdir()
        bounds = GateBounds(min_slots=slots, start_slots=slots, max_slots=slots)
        super().__init__(place, lambda prompt, seen: [], 1, bounds, retry=POLICY, give_up=60.0)
        path = place / "night.jsonl"
        lines = ({"id": f"i{n}", "prompt": f"Item {n} [[tokens=30]]"} for n in range(first, first + count))
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self.jobs = check_jobs(path, RequestFlags(), {"claude": BackendSpeech("claude")}, lambda id, request: True)
        self.clocks = CLOCKS
        self.answering = answering
        self.checking = StoreThatChecks({job.id: hash(answer_for(job.body).text) for job in self.jobs.jobs("claude")})
        self.store = self.checking


@dataclass(frozen=True, slots=True)
class Traces:
    """What a process holds: open files, and its size in MB."""

    files: int
    rss_mb: float


def traces() -> Traces:
    """Once everything that is garbage has gone."""
    gc.collect()
    return Traces(sum(1 for _ in Path("/dev/fd").iterdir()), psutil.Process().memory_info().rss / 2**20)


async def night(place: Path, answering: Provider, first: int, count: int, slots: int = 48) -> StoreThatChecks:
    """Ask them all."""
    stage = NightStage(place, answering, first, count, slots)
    await stage.build().run()
    return stage.checking


async def idle() -> None:
    """Let what was closed be closed, at the other end too."""
    for _ in range(5):
        await asyncio.sleep(0.02)
