"""A consumer's measure, and what is recommended from it."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from batchrun.bench.buffer import BufferPlan, measure_buffers
from batchrun.bench.calibrate import ITEM_RATE, TOKEN_RATE, calibrate
from batchrun.sinks.function import FunctionSink
from batchrun.sinks.sink import SinkItem
from batchrun.stream.pipe import SinkFailed
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers


async def test_a_pipe_is_as_long_as_the_target_over_the_mean() -> None:
    """50 tokens at 2 ms each: half a second of them are 250, less what the machine itself adds."""
    sink = SinkThatRemembers(seconds_a_call=0.002)
    measured = await calibrate(sink)
    assert (measured.unit, measured.count) == ("token", 50)
    assert 2 <= min(measured.mean_ms, measured.p95_ms)
    assert measured.pipe_size == math.ceil(500 / measured.mean_ms)
    assert measured.bears == 1000 / measured.mean_ms
    assert (sink.told[0], sink.told[-1], len(sink.told)) == ("open", "close", 50 + 3)
    assert sink.told[-2].startswith("calibrate-1/1 is done: A consumer is as fast")


async def test_a_slow_consumer_gets_the_shortest_pipe() -> None:
    """At least one token fits, whatever the target."""
    measured = await calibrate(SinkThatRemembers(seconds_a_call=0.01), tokens=3, target_buffer_ms=1)
    assert measured.pipe_size == 1


async def test_a_sink_for_answers_is_measured_by_the_item() -> None:
    """It has no pipe; each item has an id of its own, and a text."""
    sink = SinkThatRemembers(wants_deltas=False, seconds_a_call=0.001)
    measured = await calibrate(sink, tokens=5)
    assert (measured.unit, measured.pipe_size, measured.rate) == ("item", None, ITEM_RATE)
    assert [item.id for item in sink.delivered] == [f"calibrate-{number}" for number in range(1, 6)]
    assert all(item.text for item in sink.delivered)


async def test_slots_are_what_one_core_bears() -> None:
    """A consumer that computes for 4 ms a token: at 50 tokens a second a core bears five, at 10 about 25; in whichever
    thread it computes."""

    def compute(item: SinkItem, delta: str | None) -> None:
        until = time.thread_time() + 0.004
        while time.thread_time() < until:
            pass

    measured = await calibrate(FunctionSink("--sink m:f", compute), tokens=20)
    assert measured.rate == TOKEN_RATE
    assert 4 <= measured.cpu_ms < 12
    assert measured.slots == int(1000 / (measured.cpu_ms * 50))
    measured = await calibrate(FunctionSink("--sink m:f", compute), tokens=20, rate=10)
    assert measured.slots is not None
    assert 8 <= measured.slots <= 25


async def test_waiting_costs_no_slots() -> None:
    """A consumer that only waits is no load: far more of them fit than of one that computes."""
    measured = await calibrate(SinkThatRemembers(seconds_a_call=0.005), tokens=10)
    assert measured.slots is None or measured.slots > 10


async def test_a_sink_that_fails_is_not_measured() -> None:
    """Its failure is told, and it is closed."""
    sink = SinkThatFails(after=3)
    with pytest.raises(SinkFailed):
        await calibrate(sink)
    assert sink.told[-1] == "close"
    with pytest.raises(ValueError, match="at least 1 token"):
        await calibrate(SinkThatRemembers(), tokens=0)


def test_a_pipe_holds_little_and_loses_nothing() -> None:
    """Against the naive queue, in real time: the same tokens in the same time, less held, less old when they arrive."""
    plan = BufferPlan(sessions=3, tokens=60, consumer_ms=4, tokens_a_second=2000, pipe_size=4)
    queue, pipe = measure_buffers(plan)
    assert (queue.buffer, pipe.buffer) == ("queue", "pipe")
    assert (queue.lost, pipe.lost) == (0, 0)
    assert pipe.most_held <= 4
    assert queue.most_held > 3 * pipe.most_held
    assert queue.bytes_a_session > 3 * pipe.bytes_a_session
    assert queue.delay_p99_ms > 2 * pipe.delay_p99_ms
    assert plan.seconds <= min(queue.seconds, pipe.seconds)
    assert BufferPlan().seconds * 2 < 30


async def test_a_real_consumer_is_called_as_in_a_run() -> None:
    """An async function of the user's: in the loop, in order, with the end at last."""
    deltas: list[str | None] = []

    async def consume(item: SinkItem, delta: str | None) -> None:
        await asyncio.sleep(0)
        deltas.append(delta)

    await calibrate(FunctionSink("--sink m:f", consume), tokens=7)
    assert len(deltas) == 8
    assert deltas[-1] is None
    assert None not in deltas[:-1]
