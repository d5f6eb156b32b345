"""A client of `bench pool`: keeps its connections or not, has some made beforehand or not, and asks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from batchrun.bench.asking import Asker, body_of, in_lanes, together
from batchrun.bench.endpoint import Endpoint, endpoint_of, share_of
from batchrun.bench.pool import EACH, PREWARMED, PoolPlan
from batchrun.bench.sample import Sample
from batchrun.bench.simulator_stats import SimulatorStats
from batchrun.bench.worker import Figures, be_worker

WARM_UP = 5  # requests on a pool that is thrown away: what is loaded late is loaded then, and no connection is made
ROUND_APART = 1_000_000  # between the numbers of two rounds, so that no request is asked twice


class _Client:
    """One client over its one round."""

    def __init__(self, endpoint: Endpoint, plan: PoolPlan, client: str, round: int) -> None:
        self._plan = plan
        self._client = client
        self._first = round * ROUND_APART
        self._endpoint = endpoint
        self._samples: list[Sample] = []
        self._first_wave: list[Sample] = []

    async def run(self) -> Figures:
        spent = await self._warm_up()
        asker = Asker(share_of(self._endpoint, spent, 1), 0 if self._client == EACH else self._slots)
        try:
            prewarmed, prewarm_seconds = await self._prewarm(asker)
            connections, cpu = await self._measure(asker)
        finally:
            await asker.close()
        return {
            "samples": [asdict(sample) for sample in self._samples],
            "first_wave": [asdict(sample) for sample in self._first_wave],
            "connections": connections,
            "prewarmed": prewarmed,
            "prewarm_seconds": prewarm_seconds,
            "cpu_seconds": cpu,
            "spent_usd": spent + asker.budget.spent,
            "is_budget_used_up": asker.budget.is_used_up,
        }

    @property
    def _slots(self) -> int:
        return max(self._plan.concurrency, self._plan.prewarm)

    async def _warm_up(self) -> float:
        other = Asker(self._endpoint, self._slots)
        try:
            for number in range(WARM_UP if self._endpoint.is_embedded else 1):
                await self._ask(other, -1 - number)
        finally:
            await other.close()
        return other.budget.spent

    async def _prewarm(self, asker: Asker) -> tuple[int, float]:
        """Requests of one token, all at once, so that each makes a connection; how many were made, and how long it
        took."""
        if self._client != PREWARMED:
            return 0, 0.0
        began = time.perf_counter()
        bodies = (body_of(self._endpoint, self._first - 100 - n, 1, max_tokens=1) for n in range(self._plan.prewarm))
        asked = await together(asker.ask(body, stream=False) for body in bodies)
        return _connections(asked), time.perf_counter() - began

    async def _measure(self, asker: Asker) -> tuple[int, float]:
        """Connections that were made, and CPU seconds of this process."""
        if not self._endpoint.is_embedded:
            return await self._ask_all(asker)
        with SimulatorStats(self._endpoint.base_url) as stats:
            before = stats.read()["connections_total"]
            _, cpu = await self._ask_all(asker)
            return stats.read()["connections_total"] - before, cpu

    async def _ask_all(self, asker: Asker) -> tuple[int, float]:
        async def ask(number: int) -> None:
            sample = await self._ask(asker, number)
            if sample is not None:
                self._samples.append(sample)
                if number < self._plan.concurrency:
                    self._first_wave.append(sample)

        began = time.process_time()
        await in_lanes(self._plan.requests, self._plan.concurrency, ask)
        return _connections(self._samples), time.process_time() - began

    async def _ask(self, asker: Asker, number: int) -> Sample | None:
        tokens = self._plan.tokens
        return await asker.ask(body_of(self._endpoint, self._first + number, tokens, 2 * tokens), stream=True)


def _connections(samples: Iterable[Sample | None]) -> int:
    return sum(sample.connections for sample in samples if sample is not None)


async def measure(order: Mapping[str, Any]) -> Figures:
    client = _Client(endpoint_of(order["endpoint"]), PoolPlan(**order["plan"]), order["client"], order["round"])
    return await client.run()


if __name__ == "__main__":
    be_worker(measure)
