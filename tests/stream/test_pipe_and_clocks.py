"""An attempt with a pipe behind it, in virtual time: its consumer's slowness is never put on the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from batchrun.failure import AttemptFailed, Cause
from batchrun.providers.provider import Request
from batchrun.stream.clocks import ClockLimits, Clocks
from batchrun.stream.message import Message, MessageFold
from batchrun.stream.pipe import PATIENCE, Pipe, SinkFailed
from batchrun.stream.sse import SSEDecoder
from batchrun.stream.watch import Watch
from tests.providers.fakes import FakeProvider, ProviderThatAnswers, ProviderThatFallsSilent
from tests.virtual_time import START, in_virtual_time


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


class ClocksThatPause(Clocks):
    """The clocks of an attempt, which can be set forward by the time that was our own doing."""

    __slots__ = ()

    def shift(self, seconds: float) -> None:
        self._started_at += seconds
        self._content_at += seconds
        if self._bytes_at is not None:
            self._bytes_at += seconds
        if self._requested_at is not None:
            self._requested_at += seconds


class WatchThatPauses(Watch):
    """The watch of an attempt, without a timer for as long as we do not read."""

    def __init__(self, limits: ClockLimits) -> None:
        super().__init__(limits)
        self.pausing = self.clocks = ClocksThatPause(limits, self._loop.time())

    @contextmanager
    def suspended(self) -> Iterator[None]:
        began = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield
        finally:
            self.pausing.shift(self._loop.time() - began)
            self._arm()


async def small_attempt(provider: FakeProvider, limits: ClockLimits, pipe: Pipe) -> Message:
    """What an attempt does with a pipe, and little else."""
    fold, decoder = MessageFold(), SSEDecoder()
    request = Request({"messages": [{"role": "user", "content": "x"}]})
    async with WatchThatPauses(limits) as watch, provider.open(request, limits.connect, watch) as reply:
        async for chunk in reply.chunks():
            watch.received()
            for event in decoder.feed(chunk):
                fold.feed(event.data)
                watch.progressed()
                if fold.last_text:
                    await pipe.put(fold.last_text, watch.suspended)
    return fold.message()


LIMITS = ClockLimits(first_byte=5, idle=2, stall=4, total=30)


@in_virtual_time
async def test_no_clock_runs_against_the_provider_while_the_pipe_is_full() -> None:
    """F5: 400 seconds of a consumer's slowness, with clocks of a few seconds, cost no attempt and no piece."""
    provider = ProviderThatAnswers(*(f"word {number} " for number in range(40)), seconds_a_piece=0.5)
    pipe = Pipe(4)
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(pipe, 10))
        message = await small_attempt(provider, LIMITS, pipe)
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
        await small_attempt(ProviderThatFallsSilent(), LIMITS, pipe)
    assert caught.value.failure.cause is Cause.SILENT
    assert now() == pipe.figures.waited + LIMITS.idle == 12


@in_virtual_time
async def test_a_consumer_that_dies_ends_the_attempt_at_once() -> None:
    """F5: while the reader waits; the request is closed, and no clock has to run out for it."""
    provider = ProviderThatAnswers(*"abcdef", seconds_a_piece=0.5)
    pipe = Pipe(2)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(small_attempt_that_may_fail(provider, pipe))
        await asyncio.sleep(4)
        assert provider.open_replies == 1
        pipe.fail(SinkFailed("no"))
    assert (reader.result(), now(), provider.open_replies) == ("no", 4, 0)


async def small_attempt_that_may_fail(provider: FakeProvider, pipe: Pipe) -> str:
    try:
        return (await small_attempt(provider, LIMITS, pipe)).text
    except SinkFailed as failed:
        return str(failed)
