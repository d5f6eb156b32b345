"""The pipe between a reader and a slower consumer, in virtual time: nothing lost, bounded, and nobody blamed for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.stream.pipe import DEFAULT_SIZE, PATIENCE, Pipe, PipeAborted, SinkFailed
from tests import virtual_time
from tests.virtual_time import START, NothingWillHappen, in_virtual_time, run_virtual, settle


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


async def consume(pipe: Pipe, *, seconds_a_piece: float = 0.0) -> list[str]:
    """Everything that comes out of the pipe, taken at this pace."""
    taken = []
    async for text in pipe:
        await asyncio.sleep(seconds_a_piece)
        taken.append(text)
    return taken


async def fill(pipe: Pipe) -> list[str]:
    """Put until one more would have to wait; the pieces that went in."""
    pieces = [f"piece {number} " for number in range(pipe.size)]
    for piece in pieces:
        await pipe.put(piece)
    return pieces


class Suspensions:
    """Notes from when to when no clock ran."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        began = now()
        try:
            yield
        finally:
            self.spans.append((began, now()))


# -- what goes in comes out --------------------------------------------------------------------------------------------

Pauses = st.lists(st.floats(0, 30), max_size=40)


@given(
    pauses=Pauses,
    consumer_pauses=st.lists(st.floats(0, 30), min_size=1, max_size=5),
    sizes=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 20)), max_size=5),
    size=st.integers(1, 5),
)
def test_every_piece_comes_out_once_and_in_order(
    pauses: list[float], consumer_pauses: list[float], sizes: list[tuple[float, int]], size: int
) -> None:
    """Whatever the pace of both ends, and however the size is changed meanwhile."""

    async def scene() -> None:
        pipe = Pipe(size)
        taken: list[str] = []

        async def take() -> None:
            async for text in pipe:
                taken.append(text)
                await asyncio.sleep(consumer_pauses[len(taken) % len(consumer_pauses)])

        async def resize() -> None:
            for pause, new in sizes:
                await asyncio.sleep(pause)
                pipe.resize(new)

        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            group.create_task(resize())
            for number, pause in enumerate(pauses):
                await asyncio.sleep(pause)
                await pipe.put(str(number))
            pipe.close()
        assert taken == [str(number) for number in range(len(pauses))]
        figures = pipe.figures
        largest = max([size, *(new for _, new in sizes)])
        assert figures.peak <= largest + figures.spilled
        assert figures.put == len(pauses)

    run_virtual(scene())


@in_virtual_time
async def test_the_end_of_the_answer_comes_after_its_last_piece() -> None:
    """A closed pipe is emptied first; without pieces it ends at once."""
    pipe = Pipe()
    pieces = await fill(pipe)
    pipe.close()
    assert await consume(pipe) == pieces
    empty = Pipe()
    await empty.put("")  # nothing is no piece
    empty.close()
    assert await consume(empty) == []


# -- the reader waits --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_full_pipe_makes_the_reader_wait() -> None:
    """16 pieces go in at once; the next one waits until the consumer has taken one."""
    pipe = Pipe()
    assert pipe.size == DEFAULT_SIZE == 16
    await fill(pipe)
    assert now() == 0
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(pipe, seconds_a_piece=3))
        await settle()  # it has taken the first one
        await pipe.put("a")
        await pipe.put("b")
        assert now() == 3
        pipe.close()
    assert consumer.result()[-2:] == ["a", "b"]
    assert (pipe.figures.waited, pipe.figures.peak, pipe.figures.spilled) == (3, 16, 0)


@in_virtual_time
async def test_a_larger_size_admits_at_once() -> None:
    """A reader that waits goes on the moment the pipe has grown, without the consumer's doing."""
    pipe = Pipe(1)
    await fill(pipe)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(pipe.put("a"))
        await asyncio.sleep(4)
        pipe.resize(2)
        await settle()
        assert reader.done()
    assert (now(), pipe.figures.waited) == (4, 4)


@in_virtual_time
async def test_a_smaller_size_keeps_what_is_held() -> None:
    """What is inside stays; the next piece waits until the pipe is below its new size."""
    pipe = Pipe(4)
    pieces = await fill(pipe)
    pipe.resize(2)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(pipe.put("a"))
        for _ in range(2):
            await anext(pipe)
        await settle()
        assert not reader.done()
        await anext(pipe)
    pipe.close()
    assert await consume(pipe) == [pieces[3], "a"]


@pytest.mark.parametrize("size", [0, -1])
@in_virtual_time
async def test_a_pipe_of_no_size_is_refused(size: int) -> None:
    """It would let nothing through; neither made nor resized."""
    with pytest.raises(ValueError, match="at least 1"):
        Pipe(size)
    pipe = Pipe()
    with pytest.raises(ValueError, match="at least 1"):
        pipe.resize(size)
    assert pipe.size == DEFAULT_SIZE


# -- patience ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_reader_goes_on_after_ten_seconds() -> None:
    """F5: once, not for each piece; so a socket is never unread for longer, and nothing is lost."""
    pipe = Pipe(2)
    pieces = await fill(pipe)
    more = [f"more {number}" for number in range(1000)]
    for piece in more:
        await pipe.put(piece)
    assert now() == PATIENCE == 10
    assert (pipe.figures.waited, pipe.figures.peak, pipe.figures.spilled) == (10, 1002, 1000)
    pipe.close()
    assert await consume(pipe) == pieces + more


@in_virtual_time
async def test_a_consumer_that_has_caught_up_gets_a_bounded_pipe_again() -> None:
    """The second spell has ten seconds of its own."""
    pipe = Pipe(2)
    await fill(pipe)
    await pipe.put("spilled")
    assert now() == 10
    for _ in range(3):
        await anext(pipe)
    await fill(pipe)
    assert now() == 10
    await pipe.put("spilled again")
    assert now() == 20


@in_virtual_time
async def test_a_slow_but_steady_consumer_uses_patience_up_too() -> None:
    """F5: a single read may bring hundreds of pieces; waiting a second for each would leave the socket unread for
    minutes."""
    pipe = Pipe(4)
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(pipe, seconds_a_piece=1))
        for number in range(300):
            await pipe.put(str(number))
        assert now() == 10
        pipe.close()
    assert consumer.result() == [str(number) for number in range(300)]
    assert now() == 300


@in_virtual_time
async def test_room_in_between_renews_patience() -> None:
    """A provider that is slower than the consumer on the mean is held up by a moment's stutter, and never spills."""
    pipe = Pipe(1)
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(pipe, seconds_a_piece=6))
        for number in range(20):
            for piece in ("a", "b", "c"):
                await pipe.put(f"{number}{piece}")
            await asyncio.sleep(20)
        pipe.close()
    assert len(consumer.result()) == 60
    assert (pipe.figures.spilled, pipe.figures.waited) == (0, 20 * 6)


# -- whose fault it is not ---------------------------------------------------------------------------------------------


@in_virtual_time
async def test_clocks_are_suspended_just_while_the_reader_waits() -> None:
    """Not for a piece that finds room, and not once the reader goes on regardless."""
    pipe = Pipe(1)
    suspensions = Suspensions()
    await pipe.put("a", suspensions)
    assert suspensions.spans == []
    async with asyncio.TaskGroup() as group:
        group.create_task(pipe.put("b", suspensions))
        await asyncio.sleep(3)
        await anext(pipe)
    assert suspensions.spans == [(0, 3)]
    await pipe.put("c", suspensions)
    await pipe.put("d", suspensions)
    assert suspensions.spans == [(0, 3), (3, 10)]  # what was left of the ten seconds of this spell


# -- ends --------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_consumer_that_dies_while_the_pipe_is_full_frees_the_reader_at_once() -> None:
    """F5: the reader is told what happened, in the same moment, and at each later put."""
    pipe = Pipe(1)
    await fill(pipe)
    reader = asyncio.create_task(pipe.put("a"))
    await asyncio.sleep(3)
    failure = SinkFailed("the disk of the consumer is full")
    pipe.fail(failure)
    with pytest.raises(SinkFailed) as caught:
        await reader
    assert caught.value is failure
    assert (now(), pipe.figures.waited) == (3, 3)
    with pytest.raises(SinkFailed):
        await pipe.put("b")
    assert now() == 3


@in_virtual_time
async def test_an_aborted_attempt_takes_its_pieces_with_it() -> None:
    """The consumer hears of the abort next, not of what was still in the pipe: another attempt begins anew."""
    pipe = Pipe()
    await fill(pipe)
    assert await anext(pipe) == "piece 0 "
    pipe.abort()
    with pytest.raises(PipeAborted):
        await anext(pipe)


@in_virtual_time
async def test_a_consumer_that_waits_hears_of_the_abort() -> None:
    """It is woken, though nothing will ever come."""
    pipe = Pipe()
    consumer = asyncio.create_task(consume(pipe))
    await settle()
    pipe.abort()
    with pytest.raises(PipeAborted):
        await consumer


@in_virtual_time
async def test_a_reader_that_is_cancelled_leaves_the_pipe_as_it_was() -> None:
    """A drain that runs out puts nothing in, leaves no timer, and stays a cancellation."""
    pipe = Pipe(1)
    await fill(pipe)
    suspensions = Suspensions()
    reader = asyncio.create_task(pipe.put("never", suspensions))
    await asyncio.sleep(2)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert suspensions.spans == [(0, 2)]
    pipe.close()
    assert await consume(pipe) == ["piece 0 "]


@pytest.mark.parametrize("ending", ["room", "patience", "cancelled"])
def test_no_timer_is_left_behind(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night has millions of pieces: after a wait nothing of it is left in the loop."""
    monkeypatch.setattr(virtual_time, "PATIENCE", 0.0)

    async def wait_and_rest() -> None:
        pipe = Pipe(1)
        await fill(pipe)
        reader = asyncio.create_task(pipe.put("a"))
        await settle()
        if ending == "room":
            await anext(pipe)
        elif ending == "cancelled":
            reader.cancel()
        await asyncio.wait([reader])
        await asyncio.get_running_loop().create_future()  # without a timer this is told instead of waited for

    with pytest.raises(NothingWillHappen):
        run_virtual(wait_and_rest())


@in_virtual_time
async def test_a_quick_consumer_costs_the_reader_nothing() -> None:
    """Pieces that find room never suspend the reader: no turn of the loop, no timer."""
    pipe = Pipe()
    turns = count()
    asyncio.get_running_loop().call_soon(turns.__next__)
    await fill(pipe)
    assert next(turns) == 0


@in_virtual_time
async def test_a_pipe_tells_how_it_stands() -> None:
    """Its repr fits a log line."""
    pipe = Pipe(2)
    await pipe.put("a")
    assert repr(pipe) == "<Pipe 1/2 open, the reader waited 0.0 s>"
    pipe.close()
    assert repr(pipe) == "<Pipe 1/2 closed, the reader waited 0.0 s>"
    pipe.abort()
    assert repr(pipe) == "<Pipe 0/2 aborted, the reader waited 0.0 s>"
