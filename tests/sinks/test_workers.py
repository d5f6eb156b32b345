"""Calls in threads: their turn, their time, and what becomes of those whose item has gone."""

from __future__ import annotations

import asyncio
import threading

import pytest

from batchrun.sinks.function import FunctionSink
from batchrun.sinks.sink import SinkItem
from batchrun.sinks.workers import Workers
from batchrun.stream.pipe import SinkFailed
from tests.sinks.fakes import Rendezvous, an_answer


async def test_a_call_that_was_given_up_in_the_queue_is_never_made() -> None:
    """Its item has failed, or the run is over: a late call would only surprise."""
    release = threading.Event()
    made: list[str] = []

    def block() -> None:
        release.wait(timeout=10)

    workers = Workers(1)
    blocker = asyncio.create_task(workers.call("m:f", block))
    waiting = asyncio.create_task(workers.call("m:f", lambda: made.append("late")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    release.set()
    await blocker
    await workers.call("m:f", lambda: made.append("after it"))
    assert made == ["after it"]
    assert repr(workers) == "<Workers 1/1 threads, 0 calls>"
    workers.close()


class SkewedClock:
    """The running loop's clock, which a call in a thread can put forward once the loop has caught up with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0
        time = self._loop.time
        monkeypatch.setattr(self._loop, "time", lambda: time() + self._ahead)

    def put_forward(self, seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(timeout=10)
        self._ahead += seconds


async def test_waiting_for_a_free_thread_is_no_part_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time begins when a thread takes it: four calls of six seconds, one after the other, keep to ten."""
    clock = SkewedClock(monkeypatch)
    served: list[str] = []

    def function(item: SinkItem) -> None:
        clock.put_forward(6)
        served.append(item.id)

    sink = FunctionSink("--sink m:f", function, threads=1, call_limit=10)
    async with asyncio.TaskGroup() as group:
        for id in "abcd":
            group.create_task(sink.deliver(an_answer(id=id)))
    await sink.close()
    assert served == [*"abcd"]


async def test_a_call_does_not_wait_for_ever_for_threads_that_hang() -> None:
    """Where nothing comes free for as long as a call may take, it fails, and says what holds it up."""
    here = Rendezvous()
    sink = FunctionSink("--sink m:f", lambda item: here.wait_in_thread(), threads=1, call_limit=0.02)
    failures: list[str] = []

    async def one() -> None:
        with pytest.raises(SinkFailed) as caught:
            await sink.deliver(an_answer())
        failures.append(str(caught.value))

    async with asyncio.TaskGroup() as group:
        group.create_task(one())
        await here.begun.wait()
        group.create_task(one())
    here.release.set()
    await sink.close()
    assert failures[0] == "--sink m:f: a call has not returned within 0.02 s"
    assert (
        failures[1] == "--sink m:f: no thread has come free within 0.02 s, for calls that do not return hold them all"
    )
