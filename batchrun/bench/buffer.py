"""What a bounded pipe is good for: consumers slower than their streams, behind a naive unbounded queue and behind ours.

A fake producer in real time, no provider and no network: what differs between the two is the buffer alone.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from batchrun.stream.pipe import DEFAULT_SIZE, Pipe

POINTER_BYTES = 8  # what a buffer adds to each text that it holds


@dataclass(frozen=True, slots=True)
class BufferPlan:
    """12 sessions whose consumer takes 50 ms a token are the articles'; streams of 100 tokens a second are about twice
    as fast as what is common. So planned, a buffer takes 5 s."""

    sessions: int = 12
    tokens: int = 100
    consumer_ms: float = 50.0
    tokens_a_second: float = 100.0
    pipe_size: int = DEFAULT_SIZE

    @property
    def seconds(self) -> float:
        """How long one buffer takes, about."""
        return self.tokens * max(self.consumer_ms / 1000, 1 / self.tokens_a_second)


@dataclass(frozen=True, slots=True)
class BufferFigures:
    """What one buffer did. `bytes_a_session` is what it held at its fullest, as a mean over the sessions; in a run the
    answer's text is held once more, whatever the buffer. A token's delay is the time from the reader's hand to the
    consumer's. `lost` counts tokens that did not arrive in their place."""

    buffer: str
    sessions: int
    tokens: int
    seconds: float
    bytes_a_session: float
    most_held: int
    delay_mean_ms: float
    delay_p99_ms: float
    lost: int


class Buffer(Protocol):
    """What stands between a reader and its consumer."""

    async def put(self, text: str) -> None: ...

    def close(self) -> None: ...

    def __aiter__(self) -> AsyncIterator[str]: ...


class NaiveQueue:
    """What is usually written: the reader never waits, and the memory is whatever the consumer makes of it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def put(self, text: str) -> None:
        self._queue.put_nowait(text)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._queue.get()) is not None:
            yield text


@dataclass(slots=True)
class _Session:
    """One stream, as its two ends see it."""

    put_at: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    held: int = 0
    held_bytes: int = 0
    most_held: int = 0
    most_bytes: int = 0
    lost: int = 0

    def put(self, text: str, now: float) -> None:
        self.put_at.append(now)
        self.held += 1
        self.held_bytes += _bytes_of(text)

    def is_in(self) -> None:
        """The buffer has it, and whatever it held before that the consumer has not taken."""
        self.most_held = max(self.most_held, self.held)
        self.most_bytes = max(self.most_bytes, self.held_bytes)

    def took(self, text: str, now: float) -> None:
        self.lost += text != _token(len(self.delays))
        self.delays.append(now - self.put_at[len(self.delays)])
        self.held -= 1
        self.held_bytes -= _bytes_of(text)


def measure_buffers(plan: BufferPlan) -> list[BufferFigures]:
    """Run each buffer once, one after the other: the naive queue, then the pipe."""
    return [asyncio.run(_measure(name, plan)) for name in ("queue", "pipe")]


async def _measure(name: str, plan: BufferPlan) -> BufferFigures:
    now = asyncio.get_running_loop().time
    sessions = [_Session() for _ in range(plan.sessions)]
    began = now()
    async with asyncio.TaskGroup() as group:
        for session in sessions:
            buffer: Buffer = NaiveQueue() if name == "queue" else Pipe(plan.pipe_size)
            group.create_task(_read(buffer, session, plan))
            group.create_task(_consume(buffer, session, plan))
    seconds = now() - began
    delays = sorted(delay for session in sessions for delay in session.delays)
    return BufferFigures(
        buffer=name,
        sessions=plan.sessions,
        tokens=plan.tokens,
        seconds=seconds,
        bytes_a_session=sum(session.most_bytes for session in sessions) / plan.sessions,
        most_held=max(session.most_held for session in sessions),
        delay_mean_ms=sum(delays) / len(delays) * 1000,
        delay_p99_ms=delays[math.ceil(0.99 * len(delays)) - 1] * 1000,
        lost=sum(session.lost + plan.tokens - len(session.delays) for session in sessions),
    )


async def _read(buffer: Buffer, session: _Session, plan: BufferPlan) -> None:
    now = asyncio.get_running_loop().time
    began = now()
    for number in range(plan.tokens):
        await asyncio.sleep(max(0.0, began + number / plan.tokens_a_second - now()))
        text = _token(number)
        session.put(text, now())
        await buffer.put(text)
        session.is_in()
    buffer.close()


async def _consume(buffer: Buffer, session: _Session, plan: BufferPlan) -> None:
    now = asyncio.get_running_loop().time
    async for text in buffer:
        session.took(text, now())
        await asyncio.sleep(plan.consumer_ms / 1000)


def _token(number: int) -> str:
    return f"{number:5d}"  # as long as a token of English, and told apart from the others


def _bytes_of(text: str) -> int:
    return sys.getsizeof(text) + POINTER_BYTES
