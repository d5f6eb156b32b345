"""The clients of `bench client`: the loop that everybody writes, and the attempt of a run."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anthropic

from batchrun.bench.worker import Figures, be_worker
from batchrun.outcome import Measure
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.meter import Account, Meter, charged

Counted = tuple[int, float | None]  # events, CPU seconds that were charged to items
MODEL = "claude-haiku-5-5"


def _bodies(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    prompts = (f"[[tokens={order['tokens']}]] stream {number}" for number in range(order["streams"]))
    return [
        {"model": MODEL, "max_tokens": order["tokens"] + 100, "messages": [{"role": "user", "content": prompt}]}
        for prompt in prompts
    ]


async def articles(order: Mapping[str, Any]) -> Counted:
    """What everyone writes: `messages.stream` and `text_stream`."""
    client = anthropic.AsyncAnthropic(api_key="simulated", base_url=order["base_url"], max_retries=0)

    async def one(body: dict[str, Any]) -> int:
        events = 0
        async with client.messages.stream(**body) as stream:
            async for _ in stream.text_stream:
                events += 1
        return events

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(body)) for body in _bodies(order)]
    await client.close()
    return sum(task.result() for task in tasks), None


async def batchrun(order: Mapping[str, Any]) -> Counted:
    """The attempt of a run: provider, decoder, fold, clocks and meter."""
    provider = AnthropicProvider(BackendConfig(base_url=order["base_url"], simulated=True), order["streams"])

    async def one(body: dict[str, Any], account: Account) -> Measure:
        meter = Meter(account)
        message = await attempt(provider, Request(body), ClockLimits(), meter)
        return meter.measure(message.output_tokens)

    accounts = [Account() for _ in range(order["streams"])]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(charged(one(body, account), account))
            for body, account in zip(_bodies(order), accounts, strict=True)
        ]
    await provider.close()
    return sum(task.result().chunks for task in tasks), sum(account.cpu for account in accounts)


CLIENTS: dict[str, Callable[[Mapping[str, Any]], Awaitable[Counted]]] = {"articles": articles, "batchrun": batchrun}


async def measure(order: Mapping[str, Any]) -> Figures:
    wall, cpu = time.perf_counter(), time.process_time()
    events, charged_cpu = await CLIENTS[order["client"]](order)
    used = time.process_time() - cpu
    return {
        "client": order["client"],
        "events": events,
        "cpu_seconds": used,
        "wall_seconds": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20),
        "unattributed": None if charged_cpu is None else 1 - charged_cpu / used,
    }


if __name__ == "__main__":
    # Not frozen: who writes the usual loop does not know of it.
    be_worker(measure, freezes_imports=False)
