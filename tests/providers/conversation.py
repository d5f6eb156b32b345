"""A provider and a server that talk over a real connection, and the promise that the key is told nowhere."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from batchrun.failure import AttemptFailed, Failure
from batchrun.masking import MAX_MESSAGE
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from batchrun.providers.reply import HttpReply
from tests.providers.scripted_server import Script, ScriptedServer
from tests.stream.events import answer, on_the_wire

CANARY = "sk-ant-canary-5b0e"
BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = on_the_wire(*answer("Hello"))


class NobodyWatches:
    """For who does not ask whether a connection is being made."""

    def connecting(self) -> None:
        pass

    def connected(self) -> None:
        pass


@asynccontextmanager
async def provider_for(backend: BackendConfig) -> AsyncIterator[AnthropicProvider]:
    provider = AnthropicProvider(backend, max_slots=4)
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def conversation(
    script: Script, key_file: Path, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[ScriptedServer, AnthropicProvider]]:
    """A server that follows the script, and a provider that asks it."""
    async with (
        ScriptedServer(script, tls) as server,
        provider_for(BackendConfig(base_url=server.url, key_file=key_file)) as provider,
    ):
        yield server, provider


@asynccontextmanager
async def reply_to(provider: AnthropicProvider, request: Request | None = None) -> AsyncIterator[HttpReply]:
    async with asyncio.timeout(10), provider.open(request or Request(BODY), 5.0, NobodyWatches()) as reply:
        yield reply


async def body_of(provider: AnthropicProvider, request: Request | None = None) -> bytes:
    """The whole body of the answer, as it was read."""
    async with reply_to(provider, request) as reply:
        return b"".join([piece async for piece in reply.chunks()])


async def failure_of(provider: AnthropicProvider, *, echoes: bool = False) -> Failure:
    """How a request failed; with the promise that the key is told nowhere, unless by the server that `echoes` it."""
    with pytest.raises(AttemptFailed) as caught:
        await body_of(provider)
    failure = caught.value.failure
    told = [str(caught.value), repr(caught.value), repr(failure), repr(provider)]
    told += [] if echoes else traceback.format_exception(caught.value)
    assert CANARY not in "".join(told)
    assert 0 < len(failure.message) <= MAX_MESSAGE
    return failure


async def failure_by(script: Script, key_file: Path, *, echoes: bool = False) -> Failure:
    async with conversation(script, key_file) as (server, provider):
        failure = await failure_of(provider, echoes=echoes)
    assert len(server.received) == 1, "one retry layer only, and it is not this one"
    return failure
