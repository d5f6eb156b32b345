"""F28: a kept connection that ends just as it is used again costs no attempt, and nothing else is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from batchrun.failure import Cause
from batchrun.providers import errand
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.openai_chat import OpenAIChatProvider
from batchrun.providers.provider import BackendConfig, Provider, Request
from tests.providers.conversation import ANSWER, body_of, conversation, failure_of
from tests.providers.scripted_server import Received, Script, ScriptedServer, Wire, stream, stream_head

Leave = Callable[[Wire], None]
LEAVES: dict[str, Leave] = {"closed": Wire.close, "reset": Wire.reset}
ways = pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)


def serving_once(leave: Leave) -> Script:
    """A server that answers the first request of each connection, and is gone when the second one comes."""

    async def script(wire: Wire, request: Received) -> None:
        if any(earlier is wire for earlier in served):
            leave(wire)
            return
        served.append(wire)
        await wire.send(stream(ANSWER))

    served: list[Wire] = []
    return script


@ways
async def test_a_kept_connection_that_is_gone_is_replaced_at_once(leave: Leave, key_file: Path) -> None:
    """Every request is answered: on the kept connection it was lost, on a new one it is served."""
    async with asyncio.timeout(5), conversation(serving_once(leave), key_file) as (server, provider):
        for _ in range(3):
            assert await body_of(provider) == ANSWER
        assert [request.connection for request in server.received] == [0, 0, 1, 1, 2]


async def test_it_holds_for_chat_completions_too() -> None:
    """Both providers stand on the same transport."""
    async with asyncio.timeout(5), ScriptedServer(serving_once(Wire.reset)) as server:
        provider: Provider = OpenAIChatProvider(BackendConfig(kind="openai", base_url=f"{server.url}/v1"), max_slots=4)
        try:
            for _ in range(2):
                assert await body_of(provider) == ANSWER  # type: ignore[arg-type]  # reads whatever comes
        finally:
            await provider.close()
        assert len(server.received) == 3


@ways
async def test_the_second_time_is_a_failure(leave: Leave, key_file: Path) -> None:
    """Once, and not for ever: what goes wrong on the new connection is an attempt that failed."""

    async def script(wire: Wire, request: Received) -> None:
        if len(server.received) > 1:
            leave(wire)
        else:
            await wire.send(stream(ANSWER))

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        await body_of(provider)
        assert (await failure_of(provider)).cause is Cause.BROKEN
        assert [request.connection for request in server.received] == [0, 0, 1]


@ways
async def test_a_new_connection_that_ends_is_a_failure(leave: Leave, key_file: Path) -> None:
    """It was no kept one: the request may have reached somebody."""

    async def script(wire: Wire, request: Received) -> None:
        leave(wire)

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        assert (await failure_of(provider)).cause is Cause.BROKEN
        assert len(server.received) == 1


async def test_a_kept_connection_that_has_begun_to_answer_is_not_replaced(key_file: Path) -> None:
    """One byte of an answer says that the request was heard, and may have to be paid."""

    async def script(wire: Wire, request: Received) -> None:
        if len(server.received) == 1:
            await wire.send(stream(ANSWER))
            return
        await wire.send(stream_head()[:9])
        wire.close()

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        await body_of(provider)
        assert (await failure_of(provider)).cause is Cause.BROKEN
        assert len(server.received) == 2


async def test_a_kept_connection_that_ends_late_is_not_replaced(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so long the request was taken: the provider may be working on it."""
    monkeypatch.setattr(errand, "STALE_SECONDS", 0.05)

    async def script(wire: Wire, request: Received) -> None:
        if len(server.received) == 1:
            await wire.send(stream(ANSWER))
            return
        await asyncio.sleep(0.1)
        wire.reset()

    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider):
        await body_of(provider)
        assert (await failure_of(provider)).cause is Cause.BROKEN
        assert len(server.received) == 2


async def test_connections_in_use_are_left_alone(key_file: Path) -> None:
    """Idle ones are closed with the one that has ended; an answer that is coming comes to its end."""
    gate = asyncio.Event()

    async def script(wire: Wire, request: Received) -> None:
        if request.json["model"] == "slow":
            await wire.send(stream_head())
            await gate.wait()
            await wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER))
            return
        if any(earlier is wire for earlier in served):
            wire.reset()
            return
        served.append(wire)
        await wire.send(stream(ANSWER))

    async def slow(provider: AnthropicProvider) -> bytes:
        return await body_of(provider, Request({"model": "slow", "max_tokens": 1, "messages": []}))

    served: list[Wire] = []
    async with asyncio.timeout(5), conversation(script, key_file) as (server, provider), asyncio.TaskGroup() as group:
        task = group.create_task(slow(provider))
        while not server.received:
            await asyncio.sleep(0)
        assert await body_of(provider) == ANSWER
        assert await body_of(provider) == ANSWER
        gate.set()
        assert await task == ANSWER
