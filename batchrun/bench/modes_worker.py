"""The client of `bench modes`: rounds in both modes, the order changed from round to round, then mixed traffic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from batchrun.bench.asking import Asker, body_of, in_lanes, together
from batchrun.bench.endpoint import Endpoint, endpoint_of
from batchrun.bench.modes import MIXED, STREAMING, WHOLE, ModesPlan
from batchrun.bench.sample import Sample
from batchrun.bench.worker import Figures, be_worker

# Answers are not all of one length, or all of a round would end in the same moment.
LENGTHS = (0.5, 1.0, 1.5)


class _Phase:
    """The samples of one mode, and the CPU time of this process while they were taken."""

    def __init__(self) -> None:
        self._samples: list[Sample | None] = []
        self._cpu = 0.0
        self._began = 0.0

    def __enter__(self) -> list[Sample | None]:
        self._began = time.process_time()
        return self._samples

    def __exit__(self, *_: object) -> None:
        self._cpu += time.process_time() - self._began

    def figures(self) -> Figures:
        samples = [None if sample is None else asdict(sample) for sample in self._samples]
        return {"samples": samples, "cpu_seconds": self._cpu}


class _Modes:
    def __init__(self, endpoint: Endpoint, plan: ModesPlan) -> None:
        self._endpoint = endpoint
        self._plan = plan
        self.asker = Asker(endpoint, plan.concurrency)
        self._phases = {STREAMING: _Phase(), WHOLE: _Phase(), MIXED: _Phase()}

    async def warm_up(self) -> None:
        """The first requests make the connections and load what is loaded late: they count in neither mode."""
        for stream in (True, False):
            await together(self._ask(-1 - number, stream) for number in range(self._plan.concurrency))

    async def rounds(self) -> None:
        """The same requests in both modes. Whichever mode is first finds other connections and caches: so each is."""
        numbers, width = range(self._plan.iterations), self._plan.concurrency
        for place, first in enumerate(range(0, len(numbers), width)):
            for mode in (STREAMING, WHOLE) if place % 2 == 0 else (WHOLE, STREAMING):
                with self._phases[mode] as samples:
                    asked = (self._ask(number, mode == STREAMING) for number in numbers[first : first + width])
                    samples.extend(await together(asked))

    async def mix(self) -> None:
        """Streams and documents at once: a new request begins when one ends, as in a run."""
        plan = self._plan

        async def ask(number: int) -> Sample | None:
            return await self._ask(plan.iterations + number, is_streamed(number, plan.stream_ratio))

        with self._phases[MIXED] as samples:
            samples.extend(await in_lanes(plan.iterations, plan.concurrency, ask))

    def figures(self) -> Figures:
        budget = self.asker.budget
        modes = {mode: phase.figures() for mode, phase in self._phases.items()}
        return {"modes": modes, "spent_usd": budget.spent, "is_budget_used_up": budget.is_used_up}

    async def _ask(self, number: int, stream: bool) -> Sample | None:
        tokens = max(1, round(self._plan.tokens * LENGTHS[number % len(LENGTHS)]))
        body = body_of(self._endpoint, number, tokens, max_tokens=2 * self._plan.tokens)
        return await self.asker.ask(body, stream=stream)


def is_streamed(number: int, share: float) -> bool:
    """Whether the request of that number is a stream, so that any stretch of them has about the share of streams."""
    return int((number + 1) * share) > int(number * share)


async def measure(order: Mapping[str, Any]) -> Figures:
    modes = _Modes(endpoint_of(order["endpoint"]), ModesPlan(**order["plan"]))
    try:
        await modes.warm_up()
        await modes.rounds()
        await modes.mix()
    finally:
        await modes.asker.close()
    return modes.figures()


if __name__ == "__main__":
    be_worker(measure)
