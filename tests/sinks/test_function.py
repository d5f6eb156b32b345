"""A user's function as a sink: which way it is called, from where, and that nothing it does reaches the run."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from batchrun.errors import ConfigError
from batchrun.sinks.function import FunctionSink, is_async, wants_deltas
from batchrun.sinks.sink import SinkItem
from batchrun.sinks.workers import Workers
from batchrun.stream.pipe import SinkFailed
from tests.sinks.fakes import Rendezvous, an_answer, on_its_way


async def deliver(function: Callable[..., object], **options: Any) -> None:
    """One whole item through the function, as a run would do it."""
    sink = FunctionSink("--sink m:f", function, **options)
    try:
        await sink.open()
        if sink.wants_deltas:
            await sink.delta(on_its_way(), "Hel")
            await sink.delta(on_its_way(), "lo")
        await sink.deliver(an_answer())
    finally:
        await sink.close()


# -- how it is called --------------------------------------------------------------------------------------------------


async def test_a_function_of_item_and_delta_gets_deltas_and_an_end() -> None:
    """Each piece in order, then None together with the answer; plain or async alike."""
    calls: list[tuple[str | None, str | None, str]] = []

    def plain(item: SinkItem, delta: str | None) -> None:
        calls.append((delta, item.status, item.text))

    async def waiting(item: SinkItem, delta: str | None) -> None:
        await asyncio.sleep(0)
        plain(item, delta)

    for function in (plain, waiting):
        calls.clear()
        await deliver(function)
        assert calls == [("Hel", None, ""), ("lo", None, ""), (None, "done", "Hello")]


async def test_a_function_of_item_gets_the_answer() -> None:
    """Once, whole; plain or async, and any object that can be called."""
    items: list[SinkItem] = []

    async def waiting(item: SinkItem) -> None:
        await asyncio.sleep(0)
        items.append(item)

    class Collector:
        def __call__(self, item: SinkItem) -> None:
            items.append(item)

        async def keep(self, item: SinkItem) -> None:
            items.append(item)

    class AsyncCollector:
        async def __call__(self, item: SinkItem) -> None:
            items.append(item)

    def wrapped(item: SinkItem) -> object:
        return waiting(item)  # plain by its looks; what it gives is still to be awaited

    functions: list[Callable[..., object]] = [
        waiting,
        Collector(),
        Collector().keep,
        AsyncCollector(),
        wrapped,
        functools.partial(waiting),
    ]
    for function in functions:
        await deliver(function)
    assert items == [an_answer()] * len(functions)


async def test_an_aborted_attempt_ends_with_none_and_failed() -> None:
    """The function may forget what it was given: nothing of it counts."""
    calls: list[tuple[str | None, str | None]] = []

    def function(item: SinkItem, delta: str | None) -> None:
        calls.append((delta, item.status))

    sink = FunctionSink("--sink m:f", function)
    await sink.delta(on_its_way(), "Hel")
    await sink.abort(on_its_way())
    await sink.close()
    assert calls == [("Hel", None), (None, "failed")]


PARAMETERS: dict[str, tuple[Callable[..., object], bool]] = {
    "item": (lambda item: None, False),
    "any name": (lambda row: None, False),
    "item and delta": (lambda item, delta: None, True),
    "two of any name": (lambda row, piece: None, True),
    "delta with a default": (lambda item, delta=None: None, True),
    "another default": (lambda item, verbose=False: None, False),
    "keywords with defaults": (lambda item, *, verbose=False: None, False),
    "item and whatever": (lambda item, *rest, **more: None, False),
    "built-in": ([].append, False),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters_say_what_it_takes(name: str) -> None:
    """Two that are needed, or a second one called `delta`: deltas. One: answers."""
    function, expected = PARAMETERS[name]
    assert wants_deltas("--sink m:f", function) is expected


def a_generator(item: SinkItem) -> Iterator[None]:
    yield


async def an_async_generator(item: SinkItem) -> AsyncIterator[None]:
    yield


WRONG: dict[str, tuple[Callable[..., object], str]] = {
    "nothing": (lambda: None, "define it as"),
    "three": (lambda item, delta, more: None, "define it as"),
    "whatever": (lambda *everything: None, "define it as"),
    "a keyword that is needed": (lambda item, *, db: None, "define it as"),
    "a class": (SinkItem, "is a class"),
    "a generator": (a_generator, "has a `yield`"),
    "an async generator": (an_async_generator, "has a `yield`"),
    "no signature": (type, "is a class"),
    "unknown signature": (max, "does not say which parameters it takes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_could_only_fail_is_refused_at_the_start(name: str) -> None:
    """Before anything is spent; and a generator would not even fail, it would do nothing all night."""
    function, message = WRONG[name]
    with pytest.raises(ConfigError, match=message) as caught:
        FunctionSink("--sink m:f", function)
    assert "--sink m:f" in str(caught.value)


def test_what_is_async_is_seen_through_its_wrappers() -> None:
    """An object by its `__call__`, a partial by what it wraps."""

    async def waiting(item: SinkItem) -> None: ...

    assert is_async(waiting)
    assert is_async(functools.partial(waiting))
    assert not is_async(lambda item: None)


# -- from where --------------------------------------------------------------------------------------------------------


async def test_a_plain_function_runs_beside_the_loop() -> None:
    """It may block: the loop goes on meanwhile, here to release it."""
    here = Rendezvous()
    threads: list[threading.Thread] = []

    def function(item: SinkItem) -> None:
        threads.append(threading.current_thread())
        here.wait_in_thread()

    async with asyncio.TaskGroup() as group:
        group.create_task(deliver(function))
        await here.begun.wait()
        here.release.set()
    assert threads[0] is not threading.main_thread()
    assert threads[0].daemon  # a call that never returns does not keep the program from ending


async def test_different_items_overlap_up_to_the_bound() -> None:
    """Two threads hold two items at once, and never a third one; all are served."""
    together = threading.Barrier(2)
    busy = threading.Semaphore(2)
    served: list[str] = []

    def function(item: SinkItem) -> None:
        assert busy.acquire(blocking=False)
        together.wait(timeout=10)
        served.append(item.id)
        busy.release()

    sink = FunctionSink("--sink m:f", function, threads=2)
    async with asyncio.TaskGroup() as group:
        for id in "abcdef":
            group.create_task(sink.deliver(an_answer(id=id)))
    await sink.close()
    assert sorted(served) == [*"abcdef"]


async def test_an_async_function_runs_in_the_loop() -> None:
    """In the loop's own thread, so it may use what belongs to the loop."""
    threads: list[threading.Thread] = []

    async def function(item: SinkItem) -> None:
        threads.append(threading.current_thread())

    await deliver(function)
    assert threads == [threading.main_thread()]


# -- what it does wrong ------------------------------------------------------------------------------------------------


class Strange(BaseException):
    """Not even an `Exception`."""


RAISED: list[BaseException] = [
    ValueError("it broke"),
    TimeoutError("its own"),
    asyncio.CancelledError(),
    SystemExit(3),
    Strange("it broke"),
]


@pytest.mark.parametrize(
    ("way", "error"),
    [
        *(("plain", error) for error in (*RAISED, StopIteration(), KeyboardInterrupt())),
        *(("async", error) for error in RAISED),
    ],
)
async def test_whatever_it_raises_is_its_own_failure(way: str, error: BaseException) -> None:
    """The item fails, with the error and its place; no exception of any kind reaches the loop or the run."""

    def plain(item: SinkItem) -> None:
        raise error

    async def waiting(item: SinkItem) -> None:
        raise error

    with pytest.raises(SinkFailed) as caught:
        await deliver(plain if way == "plain" else waiting)
    message = str(caught.value)
    assert message.startswith(f"--sink m:f: {type(error).__name__}")
    assert "(test_function.py:" in message
    assert caught.value.__cause__ is error


async def test_a_secret_of_the_environment_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's error may quote the password that it was given."""
    monkeypatch.setenv("DB_PASSWORD", "canary-7c1f")

    def function(item: SinkItem) -> None:
        raise ValueError("cannot connect with canary-7c1f\n" + "x" * 5000)

    with pytest.raises(SinkFailed) as caught:
        await deliver(function)
    assert "cannot connect with *** xxx" in str(caught.value)
    assert len(str(caught.value)) < 2100


@pytest.mark.parametrize("way", ["plain", "async"])
async def test_a_call_that_does_not_return_fails_its_item(way: str) -> None:
    """A connection without a time limit of its own must not hold a slot for the night."""
    release = threading.Event()

    def plain(item: SinkItem) -> None:
        release.wait(timeout=10)

    async def waiting(item: SinkItem) -> None:
        await asyncio.sleep(10)

    with pytest.raises(SinkFailed, match=r"m:f: a call has not returned within 0\.02 s"):
        await deliver(plain if way == "plain" else waiting, call_limit=0.02)
    release.set()


@pytest.mark.parametrize("way", ["plain", "async"])
async def test_a_run_that_is_stopped_does_not_wait_for_it(way: str) -> None:
    """Cancellation is ours, and passes as what it is."""
    here = Rendezvous()

    def plain(item: SinkItem) -> None:
        here.wait_in_thread()

    async def waiting(item: SinkItem) -> None:
        here.begun.set()
        await asyncio.sleep(10)

    task = asyncio.create_task(deliver(plain if way == "plain" else waiting))
    await here.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    here.release.set()


def test_a_call_that_outlives_the_loop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run was stopped at once: the thread finds nobody to tell, says nothing, and ends."""
    release = threading.Event()
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    others = set(threading.enumerate())
    workers = Workers(1)

    async def stopped_at_once() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await workers.call("m:f", lambda: release.wait(timeout=10))

    asyncio.run(stopped_at_once())
    (thread,) = set(threading.enumerate()) - others
    release.set()
    workers.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert told == []
