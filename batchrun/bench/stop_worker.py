"""The client of `bench stop`: rounds of the same requests, whole and stopped, the order turned from round to round."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from batchrun.bench.asking import INPUT_TOKENS, LIMITS, Asker, Observed, billed_after, body_of, together
from batchrun.bench.budget import reckon
from batchrun.bench.endpoint import Endpoint, endpoint_of
from batchrun.bench.simulator_stats import SimulatorStats
from batchrun.bench.stop import STOPPED, WHOLE, StopPlan, StopSample
from batchrun.bench.worker import Figures, be_worker
from batchrun.failure import AttemptFailed
from batchrun.providers.provider import Request
from batchrun.stream.attempt import Listeners, attempt
from batchrun.stream.message import CHARACTERS_A_TOKEN, USAGE_ESTIMATED, Message
from batchrun.stream.meter import Account, Meter
from batchrun.stream.stop_rule import STOP_RULE, StopRule, StopWhen, parse_stop_when


class _Kind:
    """The samples of one kind; CPU seconds of this process and events of the embedded provider meanwhile."""

    def __init__(self, stop_when: StopWhen | None, counts_events: bool) -> None:
        self.stop_when = stop_when
        self.samples: list[StopSample] = []
        self.cpu = 0.0
        self.events: int | None = 0 if counts_events else None

    def figures(self) -> Figures:
        samples = [asdict(sample) for sample in self.samples]
        return {"samples": samples, "cpu_seconds": self.cpu, "events_sent": self.events}


class _Stopping:
    def __init__(self, endpoint: Endpoint, plan: StopPlan, stats: SimulatorStats | None) -> None:
        self._endpoint = endpoint
        self._plan = plan
        self._stats = stats
        self.asker = Asker(endpoint, plan.concurrency)
        stop_when = parse_stop_when(plan.stop_when)
        self._kinds = {WHOLE: _Kind(None, stats is not None), STOPPED: _Kind(stop_when, stats is not None)}

    async def warm_up(self) -> None:
        """What is loaded late, and the first connections, count in neither kind."""
        count = self._plan.concurrency if self._endpoint.is_embedded else 1
        await together(self._ask(-1 - number, self._kinds[STOPPED].stop_when) for number in range(count))

    async def rounds(self) -> None:
        numbers, width = range(self._plan.items), self._plan.concurrency
        for place, first in enumerate(range(0, len(numbers), width)):
            for name in (WHOLE, STOPPED) if place % 2 == 0 else (STOPPED, WHOLE):
                await self._round(self._kinds[name], numbers[first : first + width])

    def figures(self) -> Figures:
        budget = self.asker.budget
        kinds = {name: kind.figures() for name, kind in self._kinds.items()}
        return {"kinds": kinds, "spent_usd": budget.spent, "is_budget_used_up": budget.is_used_up}

    async def _round(self, kind: _Kind, numbers: range) -> None:
        events, cpu = self._events_sent(), time.process_time()
        samples = await together(self._ask(number, kind.stop_when) for number in numbers)
        kind.cpu += time.process_time() - cpu
        if kind.events is not None:
            kind.events += self._events_sent() - events
        kind.samples += [sample for sample in samples if sample is not None]

    def _events_sent(self) -> int:
        return 0 if self._stats is None else int(self._stats.read()["events_sent"])

    async def _ask(self, number: int, stop_when: StopWhen | None) -> StopSample | None:
        body = body_of(self._endpoint, number, None, self._plan.max_tokens)
        dearest = self.asker.dearest(body)
        if not self.asker.budget.set_aside(dearest):
            return None
        observed = Observed(self.asker.provider)
        listeners = Listeners(rule=None if stop_when is None else StopRule(stop_when))
        try:
            message = await attempt(observed, Request(body), LIMITS, Meter(Account()), listeners)
        except AttemptFailed as failed:
            self.asker.budget.book(dearest, billed_after(failed.failure, dearest))
            return StopSample(observed.age, observed.connections, cause=str(failed.failure.cause))
        answer = _sample(observed, message)
        self.asker.budget.book(dearest, self._billed(answer, dearest))
        return answer

    def _billed(self, answer: StopSample, dearest: float) -> float:
        """Nobody tells what a stopped answer costs: up to all of it, for the provider may have gone on for a while."""
        return dearest if answer.tokens is None else reckon(self.asker.rates, INPUT_TOKENS, answer.tokens)


def _sample(observed: Observed, message: Message) -> StopSample:
    total, connections, length = observed.age, observed.connections, len(message.text)
    is_told = USAGE_ESTIMATED not in message.flags
    # Where the usage was told, the end came with the same bytes as the rule: nothing was stopped.
    if is_told or not message.stop_reason.startswith(STOP_RULE):
        tokens = message.output_tokens if is_told else None
        return StopSample(total, connections, tokens=tokens, characters=length)
    # The estimate is of all that was received, so it tells its characters, to within one token.
    received = message.output_tokens * CHARACTERS_A_TOKEN
    rule = message.stop_reason.removeprefix(STOP_RULE)
    return StopSample(total, connections, rule=rule, characters=received, stopped_at=length)


async def measure(order: Mapping[str, Any]) -> Figures:
    endpoint = endpoint_of(order["endpoint"])
    with ExitStack() as stack:
        stats = stack.enter_context(SimulatorStats(endpoint.base_url)) if endpoint.is_embedded else None
        stopping = _Stopping(endpoint, StopPlan(**order["plan"]), stats)
        try:
            await stopping.warm_up()
            await stopping.rounds()
        finally:
            await stopping.asker.close()
    return stopping.figures()


if __name__ == "__main__":
    be_worker(measure)
