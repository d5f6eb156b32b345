"""`--sink module:function`: a function of the user's, plain or async, that takes deltas or whole answers.

Which of the two it takes, its parameters say. How it is found is another matter (`load.py`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from batchrun.errors import ConfigError
from batchrun.outcome import Status
from batchrun.sinks.blame import Blame
from batchrun.sinks.config import TIME_LIMIT
from batchrun.sinks.sink import SinkItem
from batchrun.sinks.workers import MAX_THREADS, Workers
from batchrun.stream.pipe import SinkFailed

DELTA = "delta"  # the parameter that asks for deltas even where it has a default
HOW_TO = "define it as `def f(item)` for whole answers or `def f(item, delta)` for the text as it comes"


class FunctionSink:
    """`f(item)` is called once with each answer. `f(item, delta)` is called with each piece of its text, and once more
    with `delta` None when the attempt has ended: `item.status` then says how, `failed` if what it gave is void.

    A plain function runs in a thread, so that the event loop never waits for it; for one item its calls come one after
    the other, for different items they overlap. An async function runs in the event loop and must not block it.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., object],
        threads: int = MAX_THREADS,
        call_limit: float | None = TIME_LIMIT,
    ) -> None:
        """Raises ConfigError where the function cannot be called in either way."""
        self.name = name
        self.wants_deltas = wants_deltas(name, function)
        self._function = function
        self._is_async = is_async(function)
        self._workers = Workers(threads)
        self._call_limit = call_limit

    def __repr__(self) -> str:
        way = "async" if self._is_async else "plain"
        return f"<FunctionSink {self.name} {way}, {'deltas' if self.wants_deltas else 'answers'}>"

    async def open(self) -> None:
        return None

    async def delta(self, item: SinkItem, text: str) -> None:
        await self._call(item, text)

    async def deliver(self, item: SinkItem) -> None:
        await (self._call(item, None) if self.wants_deltas else self._call(item))

    async def abort(self, item: SinkItem) -> None:
        await self._call(replace(item, status=Status.FAILED), None)

    async def close(self) -> None:
        self._workers.close()

    async def _call(self, *arguments: object) -> None:
        try:
            await self._make(*arguments)
        except TimeoutError as exc:  # the function's own is a SinkFailed by now
            raise SinkFailed(f"{self.name}: a call has not returned within {self._call_limit:g} s") from exc

    async def _make(self, *arguments: object) -> None:
        call = partial(self._function, *arguments)
        if self._is_async:
            with Blame(self.name):
                result = call()
        else:
            result = await self._workers.call(self.name, call, self._call_limit)
        # A plain function may hand back what is still to be awaited, if it wraps an async one.
        if inspect.isawaitable(result):
            async with asyncio.timeout(self._call_limit):
                with Blame(self.name):
                    await result


def is_async(function: Callable[..., object]) -> bool:
    """Whether a call gives a coroutine; for an object, whether its `__call__` does."""
    return any(inspect.iscoroutinefunction(body) for body in (function, type(function).__call__))


def wants_deltas(name: str, function: Callable[..., object]) -> bool:
    """Whether the function's parameters ask for `(item, delta)` or for `(item)`.

    Raises:
        ConfigError: for neither; or it is a class, or a generator, whose call would do nothing.
    """
    if isinstance(function, type):
        raise ConfigError(f"{name} is a class; name a function, or an object of it that can be called")
    for body in (function, type(function).__call__):
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            raise ConfigError(f"{name} has a `yield`, so calling it would do nothing; take the `yield` out")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"{name} does not say which parameters it takes; wrap it: {HOW_TO}") from exc
    by_place = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    needed = [one for one in by_place if one.default is one.empty]
    unmet = [one for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    if unmet or not by_place or len(needed) > 2:
        raise ConfigError(f"{name} takes {inspect.signature(function)}; {HOW_TO}")
    return len(needed) == 2 or (len(by_place) > 1 and by_place[1].name == DELTA)
