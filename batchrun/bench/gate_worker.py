"""One policy of `bench gate`: the gate, the law and the sampler of a run, over items whose consumers burn CPU."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from batchrun.bench.asking import LIMITS, Observed, body_of, provider_for
from batchrun.bench.endpoint import EMBEDDED, Endpoint
from batchrun.bench.gate import GatePlan, Policy
from batchrun.bench.sample import Sample
from batchrun.bench.worker import Figures, be_worker
from batchrun.failure import AttemptFailed
from batchrun.gate.law import Decision, GateBounds, Law, LimitedBy, Observation
from batchrun.gate.laws import LAWS
from batchrun.gate.load import LoadSampler
from batchrun.gate.memory import START, Memory
from batchrun.gate.slots import Gate, Slot
from batchrun.gate.usage import Company, observe
from batchrun.providers.provider import Request
from batchrun.stream.attempt import Listeners, attempt
from batchrun.stream.meter import Account, Meter
from batchrun.stream.pipe import Pipe, PipeAborted

BLOCK = bytes(256 * 1024)  # hashing so much takes under a millisecond, during which the interpreter's lock is free


def fixed(limit: int, _: Observation, __: GateBounds, memory: Memory) -> Decision:
    """The law of a semaphore."""
    return Decision(limit, LimitedBy.MAX_SLOTS, "the number of slots is fixed", memory)


def burn(seconds: float) -> None:
    """Use so much CPU time, in whichever thread calls."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(BLOCK).digest()


class _Trial:
    """The items of one policy, from the first admission to the last end."""

    def __init__(self, endpoint: Endpoint, plan: GatePlan, policy: Policy) -> None:
        self._endpoint = endpoint
        self._plan = plan
        self._bounds = GateBounds(target_cpu=plan.target_cpu)
        self._law: Law = fixed if policy.law is None else LAWS[policy.law]
        self._items = plan.items if policy.items is None else policy.items
        self._now = asyncio.get_running_loop().time
        self._gate = Gate(policy.name, policy.slots, self._now)
        self._meters: set[Meter] = set()  # of the attempts that are under way
        self._provider = provider_for(endpoint, self._bounds.max_slots)
        # A thread for each item in flight: a consumer never waits for another one's thread, only for the CPU.
        self._threads = ThreadPoolExecutor(self._bounds.max_slots)
        self._samples: list[Sample] = []
        self._periods: list[dict[str, float]] = []

    async def run(self) -> Figures:
        began, began_at = self._now(), time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep_time(began))
                async with asyncio.TaskGroup() as items:
                    begun = await self._dispatch(items, began + self._plan.most_seconds)
                    keeper.cancel()
        finally:
            await self._provider.close()
            self._threads.shutdown()
        return {
            "samples": [asdict(sample) for sample in self._samples],
            "not_begun": self._items - begun,
            "periods": self._periods,
            "total_seconds": self._now() - began,
            "began": began_at,  # by the clock that all processes share
        }

    async def _dispatch(self, items: asyncio.TaskGroup, deadline: float) -> int:
        for number in range(self._items):
            slot = await self._gate.admit()
            assert slot is not None
            if self._now() > deadline:
                with slot:
                    return number
            items.create_task(self._work(slot, number))
        return self._items

    async def _keep_time(self, began: float) -> None:
        """As the engine does it: sample, ask the law, resize."""
        sampler, gate, memory = LoadSampler(), self._gate, START
        while True:
            due = self._now() + self._plan.period
            await asyncio.sleep(self._plan.period)
            load, lag_ms = sampler.sample(), (self._now() - due) * 1000
            own = 0.0 if load.signals is None else load.signals.own
            self._periods.append({"t": self._now() - began, "cpu": load.cpu, "own": own, "slots": float(gate.limit)})
            answering = sum(meter.chunks > 0 for meter in self._meters)
            usage = gate.take_usage()._replace(answering=answering)
            seen = observe(load, usage, Company.of([usage], lag_ms), is_held=gate.is_held)
            decision = self._law(gate.limit, seen, self._bounds, memory)
            gate.resize(decision.limit)
            memory = decision.memory

    async def _work(self, slot: Slot, number: int) -> None:
        body = body_of(self._endpoint, number, self._plan.tokens, max_tokens=2 * self._plan.tokens)
        observed = Observed(self._provider)
        cause: str | None = None
        pipe = Pipe()
        with slot:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._consume(pipe))
                try:
                    tokens = await self._read(observed, body, pipe)
                    pipe.close()
                except AttemptFailed as failed:
                    tokens, cause = 0, str(failed.failure.cause)
                    pipe.abort()
        sample = Sample(True, observed.age, observed.first_byte, None, tokens, observed.connections, cause)
        self._samples.append(sample)

    async def _read(self, observed: Observed, body: dict[str, Any], pipe: Pipe) -> int:
        meter = Meter(Account())
        self._meters.add(meter)
        try:
            await attempt(observed, Request(body), LIMITS, meter, Listeners(pipe))
        finally:
            self._meters.discard(meter)
        return meter.chunks

    async def _consume(self, pipe: Pipe) -> None:
        seconds = self._plan.cores_an_item / self._plan.tokens_a_second
        loop = asyncio.get_running_loop()
        with suppress(PipeAborted):
            async for _ in pipe:
                await loop.run_in_executor(self._threads, burn, seconds)


async def measure(order: Mapping[str, Any]) -> Figures:
    endpoint = EMBEDDED.at(order["base_url"])
    return await _Trial(endpoint, GatePlan(**order["plan"]), Policy(**order["policy"])).run()


if __name__ == "__main__":
    be_worker(measure)
