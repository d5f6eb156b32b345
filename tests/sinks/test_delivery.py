"""One attempt's way into the sinks, in virtual time: in order, once, and the item alone pays for a sink that fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.outcome import Status
from batchrun.sinks.chain import SinkChain
from batchrun.sinks.delivery import Delivery
from batchrun.sinks.sink import Sink
from batchrun.stream.pipe import SinkFailed
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers, an_answer, on_its_way
from tests.virtual_time import START, in_virtual_time, settle

BROKEN = Failure(Cause.BROKEN, "the connection broke")


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


class Attempt:
    """A script: pieces with their pauses, and a failure or an end."""

    def __init__(
        self, *pieces: str, pause: float = 0.0, failure: Failure | None = None, is_stream: bool = True
    ) -> None:
        self.pieces = pieces
        self.pause = pause
        self.failure = failure
        self.is_stream = is_stream

    async def ask(self, delivery: Delivery) -> str:
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            if delivery.pipe is not None and self.is_stream:
                await delivery.pipe.put(piece)
        if self.failure is not None:
            raise AttemptFailed(self.failure)
        return "".join(self.pieces)


async def work(tasks: asyncio.TaskGroup, sink: Sink, *attempts: Attempt, size: int = 16) -> str:
    """An item as the engine works it off: its attempts, each with a delivery beside it, to the first that succeeds."""
    for number, attempt in enumerate(attempts, 1):
        delivery = Delivery(sink, on_its_way(attempt=number), size)
        tasks.create_task(delivery.run())
        try:
            async with delivery:
                text = await attempt.ask(delivery)
                await delivery.finish(replace(an_answer(text), attempt=number))
        except AttemptFailed:
            continue
        except SinkFailed as failed:
            return f"failed: {failed}"
        return f"done, held up {delivery.held_up:g} s"
    return "failed: no attempt is left"


async def run(sink: Sink, *attempts: Attempt, size: int = 16) -> str:
    async with asyncio.TaskGroup() as tasks:
        return await work(tasks, sink, *attempts, size=size)


@in_virtual_time
async def test_deltas_come_in_order_and_the_answer_after_them() -> None:
    """The sink hears each piece, then the whole."""
    sink = SinkThatRemembers()
    assert await run(sink, Attempt("Hel", "lo", pause=1)) == "done, held up 0 s"
    assert sink.told == ["a/1 Hel", "a/1 lo", "a/1 is done: Hello"]


@in_virtual_time
async def test_a_sink_for_answers_hears_no_deltas() -> None:
    """There is not even a pipe."""
    sink = SinkThatRemembers(wants_deltas=False)
    await run(sink, Attempt("Hel", "lo"))
    assert sink.told == ["a/1 is done: Hello"]
    assert Delivery(sink, on_its_way()).pipe is None


@in_virtual_time
async def test_a_new_attempt_begins_anew() -> None:
    """What a broken attempt gave is declared void before the next one gives anything; what was still in the pipe is
    dropped."""
    sink = SinkThatRemembers(seconds_a_call=3)
    broken = Attempt("Hel", "p", "!", failure=BROKEN)
    assert await run(sink, broken, broken, Attempt("Hello", pause=1)) == "done, held up 6 s"
    assert sink.told == [
        *("a/1 Hel", "a/1 is void"),
        *("a/2 Hel", "a/2 is void"),
        *("a/3 Hello", "a/3 is done: Hello"),
    ]


@in_virtual_time
async def test_an_attempt_that_gave_nothing_is_not_mentioned() -> None:
    """A refused connection is no affair of a sink's."""
    sink = SinkThatRemembers()
    assert await run(sink, Attempt(failure=BROKEN)) == "failed: no attempt is left"
    assert sink.told == []


@in_virtual_time
async def test_an_answer_in_one_document_is_one_delta() -> None:
    """Without streaming, whoever wants deltas misses nothing; an empty answer has none."""
    sink = SinkThatRemembers()
    await run(sink, Attempt("Hel", "lo", is_stream=False))
    await run(sink, Attempt(is_stream=False))
    assert sink.told == ["a/1 Hello", "a/1 is done: Hello", "a/1 is done: "]


@in_virtual_time
async def test_an_item_ends_when_its_sink_is_done() -> None:
    """The sink lags behind, the attempt waits at the end, and the time is told as the sink's."""
    sink = SinkThatRemembers(seconds_a_call=2)
    assert await run(sink, Attempt(*"abcd", pause=1)) == "done, held up 7 s"
    assert now() == 11
    assert len(sink.told) == 5


@in_virtual_time
async def test_waits_for_room_are_told_as_the_sinks_too() -> None:
    """Whether the reader waits in mid-answer or at the end is the same to the operator."""
    sink = SinkThatRemembers(seconds_a_call=2)
    assert await run(sink, Attempt(*"abcd"), size=1) == "done, held up 10 s"
    assert now() == 10


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 16])
@in_virtual_time
async def test_a_sink_that_fails_ends_its_item_and_nothing_else(after: int, size: int) -> None:
    """At a delta, at a full pipe or at the answer: no further attempt is paid for, and other items go on."""
    failing = SinkThatFails(after=after, seconds_a_call=1)
    sink = SinkThatRemembers(seconds_a_call=1)
    async with asyncio.TaskGroup() as tasks:
        bad = tasks.create_task(work(tasks, failing, Attempt(*"abc"), Attempt(*"never"), size=size))
        good = tasks.create_task(work(tasks, sink, Attempt(*"abc"), size=size))
    assert bad.result() == f"failed: broken: it failed at {failing.told[-1]!r}"
    assert failing.told == ["a/1 a", "a/1 b", "a/1 c", "a/1 is done: abc"][: after + 1]
    assert good.result().startswith("done")


@in_virtual_time
async def test_the_reader_is_told_at_once_that_the_sink_has_failed() -> None:
    """F5: it waits before a full pipe, and does not wait its ten seconds out."""
    sink = SinkThatFails(seconds_a_call=3)
    outcome = await run(sink, Attempt(*"abcdefgh"), size=1)
    assert (outcome, now()) == ("failed: broken: it failed at 'a/1 a'", 3)


@in_virtual_time
async def test_what_cannot_be_told_to_forget_ends_the_item() -> None:
    """The attempt has failed, and then the sink: another attempt would be paid for in vain."""
    sink = SinkThatFails(after=1)
    broken = Attempt("a", "", pause=1, failure=BROKEN)
    assert await run(sink, broken, Attempt("never")) == "failed: broken: it failed at 'a/1 is void'"


@in_virtual_time
async def test_a_run_that_is_cut_off_delivers_nothing_more() -> None:
    """A drain that runs out cancels both ends; nothing hangs, and nothing counts as delivered."""
    sink = SinkThatRemembers(seconds_a_call=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await run(sink, Attempt("Hello"))
    assert (now(), sink.told) == (5, [])


@in_virtual_time
async def test_a_cancelled_attempt_does_not_wait_for_its_sink() -> None:
    """Whoever stops the run is obeyed at once."""
    sink = SinkThatRemembers(seconds_a_call=60)
    async with asyncio.TaskGroup() as tasks:
        item = tasks.create_task(work(tasks, sink, Attempt("Hel", "lo", pause=2)))
        await asyncio.sleep(3)
        item.cancel()
        await settle()
        assert item.cancelled()
        assert now() == 3


@in_virtual_time
async def test_a_delivery_that_was_broken_off_is_none() -> None:
    """If its task is ended alone, the item is not finished."""
    sink = SinkThatRemembers(seconds_a_call=60)
    delivery = Delivery(sink, on_its_way())
    consumer = asyncio.create_task(delivery.run())
    end = asyncio.create_task(delivery.finish(an_answer()))
    await asyncio.sleep(1)
    assert repr(delivery) == "<Delivery 'a' attempt 1 on its way>"
    consumer.cancel()
    with pytest.raises(SinkFailed, match="broken off"):
        await end
    assert repr(delivery) == "<Delivery 'a' attempt 1 over>"


# -- several sinks -----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_several_sinks_are_served_in_order() -> None:
    """Each as it wants; opened and closed once."""
    first, second = SinkThatRemembers(), SinkThatRemembers(wants_deltas=False)
    chain = SinkChain([first, second])
    await chain.open()
    await run(chain, Attempt("Hello", "", pause=1, failure=BROKEN), Attempt("Hel", "lo"))
    await chain.close()
    assert first.told == ["open", "a/1 Hello", "a/1 is void", "a/2 Hel", "a/2 lo", "a/2 is done: Hello", "close"]
    assert second.told == ["open", "a/2 is done: Hello", "close"]
    assert repr(chain) == "<SinkChain memory, memory>"


@in_virtual_time
async def test_one_sink_that_fails_keeps_the_item_unfinished() -> None:
    """What came before it has the answer, and will get it again."""
    first, last = SinkThatRemembers(wants_deltas=False), SinkThatRemembers(wants_deltas=False)
    chain = SinkChain([first, SinkThatFails(wants_deltas=False), last])
    assert not chain.wants_deltas
    assert (await run(chain, Attempt("Hello"))).startswith("failed: broken")
    assert (first.told, last.told) == (["a/1 is done: Hello"], [])


@in_virtual_time
async def test_an_answer_is_delivered_however_it_ended() -> None:
    """The status is the sink's to look at."""
    sink = SinkThatRemembers(wants_deltas=False)
    async with asyncio.TaskGroup() as tasks:
        for status in (Status.DONE, Status.INCOMPLETE, Status.REFUSED):
            async with Delivery(sink, on_its_way()) as delivery:
                tasks.create_task(delivery.run())
                await delivery.finish(an_answer("Hel", status=status))
    assert [item.status for item in sink.delivered] == ["done", "incomplete", "refused"]
