"""A server of chat completions that does what a test says, and a provider that asks it. What is promised of either
stands in the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from batchrun.failure import AttemptFailed, Failure
from batchrun.providers.openai_chat import OpenAIChatProvider
from batchrun.providers.provider import BackendConfig, Request
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from tests.providers.fakes import JSON
from tests.providers.scripted_server import Received, Script, ScriptedServer, Wire, stream, whole
from tests.stream.chunks import answer, on_the_wire

CANARY = "sk-chat-canary-9d27"
BODY: dict[str, Any] = {"model": "llama", "messages": [{"role": "user", "content": "What now?"}]}
# Short, for these live in real time.
LIMITS = ClockLimits(connect=1.0, first_byte=0.3, idle=0.2, stall=0.35, total=5.0)
ANSWER = on_the_wire(*answer("Hello", " there"))


@asynccontextmanager
async def provider_for(base_url: str, **backend: Any) -> AsyncIterator[OpenAIChatProvider]:
    provider = OpenAIChatProvider(BackendConfig("local", "openai", base_url, **backend), max_slots=4)
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def conversation(script: Script, **backend: Any) -> AsyncIterator[tuple[ScriptedServer, OpenAIChatProvider]]:
    """A server that follows the script, and a provider that asks it."""
    async with ScriptedServer(script) as server, provider_for(f"{server.url}/v1", **backend) as provider:
        yield server, provider


async def ask(
    provider: OpenAIChatProvider, body: dict[str, Any] | None = None, *, streamed: bool = True
) -> Message | Failure:
    """One attempt."""
    try:
        return await attempt(provider, Request(body or BODY, streamed), LIMITS, Meter(Account()))
    except AttemptFailed as failed:
        return failed.failure


async def answer_of(
    provider: OpenAIChatProvider, body: dict[str, Any] | None = None, *, streamed: bool = True
) -> Message:
    told = await ask(provider, body, streamed=streamed)
    assert isinstance(told, Message), told
    return told


async def failure_of(provider: OpenAIChatProvider, *, streamed: bool = True) -> Failure:
    told = await ask(provider, streamed=streamed)
    assert isinstance(told, Failure), told
    return told


def saying(*answers: bytes) -> Script:
    """Each request is answered with the next of these, and all further ones with the last."""
    left = list(answers)

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def refusing(status: int, error: Any, **headers: str) -> bytes:
    return whole(status, JSON, orjson.dumps({"error": error}), **headers)


WHOLE = stream(ANSWER)
