"""The clients of `bench client`: the loop that everybody writes, the SDK's raw events, the attempt of a run, the floor.

Each asks for the same streams and tells when their first and last pieces reached it; the texts say when they were sent.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import anthropic
import psutil

from batchrun.bench.floor import ask
from batchrun.bench.worker import Figures, be_worker
from batchrun.gate.load import raise_open_files
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.meter import Account, Meter, charged

MODEL = "claude-haiku-5-5"
PROMPT = "Which of these sentences is a question? Answer with its number. " * 4


@dataclass(frozen=True, slots=True)
class Streamed:
    """One stream as its client saw it; moments of the clock that all processes share, in seconds."""

    began: float
    first_at: float
    last_at: float
    text: str
    events: int
    charged: float | None = None

    @property
    def ttft(self) -> float:
        return self.first_at - self.began

    @property
    def true_ttft(self) -> float:
        return float(self.text.split(maxsplit=1)[0]) - self.began

    @property
    def wall(self) -> float:
        return self.last_at - self.began

    @property
    def true_wall(self) -> float:
        return float(self.text.rsplit(maxsplit=1)[-1]) - self.began


Ask = Callable[[int], Coroutine[Any, Any, Streamed]]  # for an answer of so many tokens
WARM_TOKENS = 4
now = time.monotonic


def _body(tokens: int) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": tokens, "messages": [{"role": "user", "content": PROMPT}]}


def _sdk(order: Mapping[str, Any]) -> anthropic.AsyncAnthropic:
    # As everybody makes it, but for the limits, which would hold up the streams beyond the first thousand.
    limits = anthropic.DefaultAsyncHttpxClient(limits=anthropic.DEFAULT_CONNECTION_LIMITS)
    return anthropic.AsyncAnthropic(
        api_key="simulated", base_url=order["base_url"], max_retries=0, timeout=600.0, http_client=limits
    )


def articles(order: Mapping[str, Any]) -> Ask:
    """What everyone writes: `messages.stream` and `text_stream`."""
    client = _sdk(order)

    async def one(tokens: int) -> Streamed:
        began, first, pieces = now(), 0.0, []
        async with client.messages.stream(**_body(tokens)) as stream:
            async for text in stream.text_stream:
                first = first or now()
                pieces.append(text)
        return Streamed(began, first, now(), "".join(pieces), len(pieces))

    return one


def raw(order: Mapping[str, Any]) -> Ask:
    """The SDK's own loop over events, without the helpers on top of it."""
    client = _sdk(order)

    async def one(tokens: int) -> Streamed:
        began, first, pieces = now(), 0.0, []
        async for event in await client.messages.create(**_body(tokens), stream=True):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                first = first or now()
                pieces.append(event.delta.text)
        return Streamed(began, first, now(), "".join(pieces), len(pieces))

    return one


def batchrun(order: Mapping[str, Any]) -> Ask:
    """The attempt of a run: provider, decoder, fold, clocks and meter."""
    provider = AnthropicProvider(BackendConfig(base_url=order["base_url"], simulated=True), order["streams"])

    async def one(tokens: int) -> Streamed:
        account = Account()

        async def asking() -> Streamed:
            meter, began = Meter(account), now()
            message = await attempt(provider, Request(_body(tokens)), ClockLimits(), meter)
            measure = meter.measure(message.output_tokens)
            assert measure.ttft is not None
            first, last = began + measure.ttft, began + measure.wall
            return Streamed(began, first, last, message.text, measure.chunks, account.read())

        return await charged(asking(), account)

    return one


def floor(order: Mapping[str, Any]) -> Ask:
    """The least that it can cost."""
    context = ssl.create_default_context() if order["base_url"].startswith("https") else None

    async def one(tokens: int) -> Streamed:
        began = now()
        stream = await ask(order["base_url"], _body(tokens), context)
        return Streamed(began, stream.first_at, stream.last_at, "".join(stream.pieces), len(stream.pieces))

    return one


CLIENTS: dict[str, Callable[[Mapping[str, Any]], Ask]] = {
    "articles": articles,
    "raw": raw,
    "batchrun": batchrun,
    "floor": floor,
}


async def measure(order: Mapping[str, Any]) -> Figures:
    """All streams, after a short one that is not counted: what is made at the first request alone is no stream's."""
    raise_open_files()
    one = CLIENTS[order["client"]](order)
    await one(WARM_TOKENS)
    gc.collect()
    memory = psutil.Process().memory_info().rss
    wall, cpu = time.perf_counter(), time.process_time()
    watch = _Peak()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(watch.look())
        async with asyncio.TaskGroup() as streams:
            gap = order["spread"] / order["streams"]
            tasks = [streams.create_task(_later(nth * gap, one, order["tokens"])) for nth in range(order["streams"])]
        looking.cancel()
    used = time.process_time() - cpu
    seen = [task.result() for task in tasks]
    charges = [stream.charged for stream in seen if stream.charged is not None]
    return {
        "client": order["client"],
        "events": sum(stream.events for stream in seen),
        "cpu_seconds": used,
        "wall_seconds": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20),
        "stream_kb": max(0, watch.rss - memory) / 1024 / order["streams"],
        "walls": sorted(stream.wall for stream in seen),
        "late_first": sorted(stream.ttft - stream.true_ttft for stream in seen),
        "late_end": sorted(stream.wall / stream.true_wall - 1 for stream in seen),
        "unattributed": 1 - sum(charges) / used if charges else None,
    }


async def _later(seconds: float, one: Ask, tokens: int) -> Streamed:
    if seconds:
        await asyncio.sleep(seconds)
    return await one(tokens)


class _Peak:
    """The most memory that was resident, looked at now and then."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.rss = 0

    async def look(self) -> None:
        while True:
            self.rss = max(self.rss, self._process.memory_info().rss)
            await asyncio.sleep(0.25)


if __name__ == "__main__":
    # Not frozen, and on asyncio's own loop: who writes the usual loop does not know of either.
    be_worker(measure, as_usual=lambda order: order["client"] in ("articles", "raw"))
