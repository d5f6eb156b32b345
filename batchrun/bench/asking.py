"""One request of a bench and what became of it. Asks once: a bench counts failures, it does not retry them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from batchrun.bench.budget import Budget, reckon
from batchrun.bench.endpoint import Endpoint
from batchrun.bench.sample import Sample
from batchrun.failure import AttemptFailed, Failure
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.openai_chat import OpenAIChatProvider
from batchrun.providers.provider import ConnectionWatch, HearsQuotas, Provider, Reply, Request
from batchrun.purse import billed_tokens
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter

T = TypeVar("T")

# A bench ends within minutes: what a night waits for is a failure here.
LIMITS = ClockLimits(first_byte=30.0, idle=15.0, stall=30.0, total=60.0)
# Set aside for the input of a request that is about to be sent; the prompts of the benches have a few dozen tokens.
INPUT_TOKENS = 100


class Observed:
    """A provider, as one request sees it: notes when the head of the answer came and which connections were made."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self.first_byte: float | None = None
        self.connections = 0
        self.wire = provider.wire
        self.base_url = provider.base_url
        self.credential = provider.credential

    def __repr__(self) -> str:
        return f"<Observed {self._provider!r}, first byte after {self.first_byte} s>"

    @property
    def age(self) -> float:
        """Seconds since the request was begun."""
        return self._now() - self._began

    @asynccontextmanager
    async def open(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> AsyncIterator[Reply]:
        async with self._provider.open(request, connect_timeout, _CountingWatch(watch, self)) as reply:
            self.first_byte = self.age
            yield reply

    def listen(self, heard: HearsQuotas) -> None:
        self._provider.listen(heard)

    async def warm(self, connect_timeout: float) -> None:
        await self._provider.warm(connect_timeout)

    async def drop(self) -> None:
        await self._provider.drop()

    def scrubbed(self, text: str) -> str:
        return self._provider.scrubbed(text)

    async def close(self) -> None:
        await self._provider.close()


class _CountingWatch:
    def __init__(self, watch: ConnectionWatch, observed: Observed) -> None:
        self._watch = watch
        self._observed = observed

    def connecting(self) -> None:
        self._observed.connections += 1
        self._watch.connecting()

    def connected(self) -> None:
        self._watch.connected()


class Asker:
    """Asks an endpoint for as long as its budget allows."""

    def __init__(self, endpoint: Endpoint, slots: int) -> None:
        """Raises ConfigError or CredentialsError where the endpoint cannot be asked. With 0 slots no connection is kept
        for use again."""
        self.provider = provider_for(endpoint, slots)
        self.rates = endpoint.rates
        self.budget = Budget(endpoint.budget_usd)

    def __repr__(self) -> str:
        return f"<Asker {self.provider!r} {self.budget!r}>"

    async def ask(self, body: dict[str, Any], *, stream: bool) -> Sample | None:
        """None where the budget does not allow the request any more."""
        dearest = self.dearest(body)
        if not self.budget.set_aside(dearest):
            return None
        observed = Observed(self.provider)
        meter = Meter(Account())
        try:
            message = await attempt(observed, Request(body, stream), LIMITS, meter)
        except AttemptFailed as failed:
            self.budget.book(dearest, billed_after(failed.failure, dearest))
            return _sample(observed, stream, None, 0, str(failed.failure.cause))
        self.budget.book(dearest, self._billed(message) or dearest)
        ttft = meter.measure(message.output_tokens).ttft
        return _sample(observed, stream, ttft, message.output_tokens, None)

    def dearest(self, body: dict[str, Any]) -> float:
        """The most that a request can cost, in US dollars."""
        return reckon(self.rates, INPUT_TOKENS, int(body.get("max_tokens") or body["max_completion_tokens"]))

    async def close(self) -> None:
        await self.provider.close()

    def _billed(self, message: Message) -> float:
        """What an answer cost by its usage; 0 where it tells none."""
        tokens = billed_tokens(message.usage)
        return reckon(self.rates, max(0, tokens - message.output_tokens), message.output_tokens) if tokens else 0.0


def _sample(observed: Observed, streamed: bool, ttft: float | None, tokens: int, cause: str | None) -> Sample:
    return Sample(streamed, observed.age, observed.first_byte, ttft, tokens, observed.connections, cause)


def provider_for(endpoint: Endpoint, slots: int) -> Provider:
    """As a run opens it, but with the SDK imported beforehand, for that second would be in the figures.

    Raises:
        ConfigError, CredentialsError: the endpoint cannot be asked.
    """
    opened = OpenAIChatProvider if endpoint.backend.kind == "openai" else AnthropicProvider
    return opened(endpoint.backend, slots)


def body_of(endpoint: Endpoint, number: int, tokens: int | None, max_tokens: int) -> dict[str, Any]:
    """A request unlike the others. The embedded provider answers with exactly `tokens` tokens (None: as it likes); a
    real one is asked for so much text and may do as it likes."""
    directive = f"[[tokens={tokens}]] " if endpoint.is_embedded and tokens is not None else ""
    words = "a few plain sentences" if tokens is None else f"about {max(1, tokens * 3 // 4)} plain words"
    prompt = f"{directive}Write {words} on what the number {number} has been used for."
    messages = [{"role": "user", "content": prompt}]
    return {"model": endpoint.model, endpoint.limit_field: max_tokens, "messages": messages}


def billed_after(failure: Failure, dearest: float) -> float:
    """What a failed attempt may have cost: nothing where the provider refused it, else nobody knows, so the most."""
    return 0.0 if failure.status is not None and failure.status >= 400 else dearest


async def together(requests: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; their results in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(request) for request in requests]
    return [task.result() for task in tasks]


async def in_lanes(count: int, lanes: int, ask: Callable[[int], Coroutine[Any, Any, T]]) -> list[T]:
    """`ask(0)` to `ask(count - 1)`, so many at once as there are lanes; a new one begins when one ends."""
    results: list[T] = []
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            results.append(await ask(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(lanes, count)):
            group.create_task(lane())
    return results
