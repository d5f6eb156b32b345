"""F32: connections that are all given up at once, because nobody knows which of them still have another end."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import Pace
from tests.providers.conversation import ANSWER, body_of, conversation, reply_to
from tests.providers.scripted_server import Received, Wire, chunk, stream, stream_head


async def talk(key_file: Path, tls: ssl.SSLContext | None) -> None:
    """One connection is read, one is idle; both are dropped, and the next request is served on a third."""

    async def script(wire: Wire, request: Received) -> None:
        if wire.number == 0 and len(server.received) == 2:
            await wire.send(stream_head() + chunk(ANSWER[:40]))
            begun.set()
            await wire.until_the_client_goes()
        else:
            await wire.send(stream(ANSWER))

    async def read(provider: AnthropicProvider) -> None:
        async with reply_to(provider) as reply:
            async for _ in reply.chunks():
                reply.pace(Pace(0.01, 0.01))

    async def break_off(provider: AnthropicProvider) -> Cause:
        with pytest.raises(AttemptFailed) as caught:
            await read(provider)
        return caught.value.failure.cause

    begun = asyncio.Event()
    async with asyncio.timeout(5), conversation(script, key_file, tls) as (server, provider):
        assert await body_of(provider) == ANSWER
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(break_off(provider))
            await begun.wait()
            assert await body_of(provider) == ANSWER
            await provider.drop()
        assert reading.result() is Cause.BROKEN
        assert await body_of(provider) == ANSWER
        assert [request.connection for request in server.received] == [0, 0, 1, 2]


async def test_what_is_read_breaks_and_the_next_request_finds_a_new_connection(key_file: Path) -> None:
    """An attempt that failed like any other; nothing hangs on a socket that is gone."""
    await talk(key_file, None)


@pytest.mark.usefixtures("trusted")
async def test_it_holds_under_tls_too(tls: ssl.SSLContext, key_file: Path) -> None:
    """Nobody waits for the other end to say goodbye."""
    await talk(key_file, tls)
