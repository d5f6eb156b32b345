"""An attempt with a pipe behind it, in virtual time: its consumer's slowness is never put on the provider."""

from __future__ import annotations

import asyncio

import pytest

from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.provider import Request
from batchrun.stream.attempt import Listeners, attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from batchrun.stream.pipe import PATIENCE, Pipe, SinkFailed
from tests.providers.fakes import FakeProvider, ProviderThatAnswers, ProviderThatFallsSilent
from tests.virtual_time import START, in_virtual_time

LIMITS = ClockLimits(first_byte=5, idle=2, stall=4, total=30)


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


async def consume(pipe: Pipe, seconds_a_piece: float) -> str:
    """The whole text, taken at this pace."""
    text = ""
    async for piece in pipe:
        await asyncio.sleep(seconds_a_piece)
        text += piece
    return text


async def ask(provider: FakeProvider, pipe: Pipe, limits: ClockLimits = LIMITS) -> Message:
    request = Request({"messages": [{"role": "user", "content": "x"}]})
    return await attempt(provider, request, limits, Meter(Account()), Listeners(pipe=pipe))


@in_virtual_time
async def test_no_clock_runs_against_the_provider_while_the_pipe_is_full() -> None:
    """F5: 400 seconds of a consumer's slowness, with clocks of a few seconds, cost no attempt and no piece."""
    provider = ProviderThatAnswers(*(f"word {number} " for number in range(40)), seconds_a_piece=0.5)
    pipe = Pipe(4)
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(pipe, 10))
        message = await ask(provider, pipe)
        pipe.close()
    assert consumer.result() == message.text == "".join(provider.pieces)
    assert pipe.figures.waited >= PATIENCE
    assert now() > 400


@in_virtual_time
async def test_a_dead_stream_is_noticed_after_a_wait_for_the_consumer() -> None:
    """F2, F5: the clocks stand only while we do not read; afterwards they have what they had left."""
    pipe = Pipe(1)
    await pipe.put("what nobody takes")
    with pytest.raises(AttemptFailed) as caught:
        await ask(ProviderThatFallsSilent(), pipe)
    assert caught.value.failure.cause is Cause.SILENT
    assert now() == pipe.figures.waited + LIMITS.idle == 12


@in_virtual_time
async def test_an_answer_is_read_to_its_end_though_its_consumer_dies() -> None:
    """F5: begun means paid. The reader that waits is told at once, and goes on as if nobody had listened."""
    provider = ProviderThatAnswers(*"abcdef", seconds_a_piece=0.5)
    pipe = Pipe(2)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(ask(provider, pipe))
        await asyncio.sleep(4)
        assert (provider.open_replies, reader.done()) == (1, False)
        pipe.fail(SinkFailed("no"))
    assert (reader.result().text, provider.open_replies) == ("abcdef", 0)
    assert now() == 4 + 3 * 0.5
