"""How fast a consumer really is, and the pipe and the slots that suit it: a few tokens through the user's own sink.

Measures and recommends; sets nothing. The consumer is called with made-up items whose ids begin with `calibrate-`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from batchrun.outcome import Status
from batchrun.sinks.sink import Sink, SinkItem

TOKENS = 50  # the articles'
TARGET_BUFFER_MS = 500.0  # the articles': how long a consumer may stutter before the reader notices
# What a slot brings, where the caller does not say: tokens of a stream a second, as the benchmarks have it; answers of
# 500 tokens at that rate.
TOKEN_RATE = 50.0
ITEM_RATE = 0.1
MODEL = "calibrate"
WORDS = ("A ", "consumer ", "is ", "as ", "fast ", "as ", "its ", "slowest ", "friend, ", "so ", "measure ", "it. ")


@dataclass(frozen=True, slots=True)
class Calibration:
    """`unit` is what the sink takes: `token` or `item`; `mean_ms`, `p95_ms` and `cpu_ms` are for one of them.

    `pipe_size` is ceil(target / mean), at least 1; None for a sink that takes whole items, for it has no pipe. `slots`
    is how many consumers one core bears, by their CPU alone, if each gets `rate` units a second; None where the CPU is
    too little to be measured. `bears` is the most units a second that one consumer takes: below `rate` it is the
    consumer that limits each item.
    """

    unit: str
    count: int
    mean_ms: float
    p95_ms: float
    cpu_ms: float
    rate: float
    pipe_size: int | None
    slots: int | None

    @property
    def bears(self) -> float:
        return 1000 / self.mean_ms


async def calibrate(
    sink: Sink, tokens: int = TOKENS, target_buffer_ms: float = TARGET_BUFFER_MS, rate: float | None = None
) -> Calibration:
    """Send so many tokens (items, to a sink that wants no deltas) through the sink, one after the other.

    CPU is that of the whole process and of the children that it waited for; nothing else should run in it.

    Args:
        rate: tokens (items) a second that one slot brings.

    Raises:
        ConfigError: the sink cannot be opened. SinkFailed: it did not take what it was given.
    """
    if tokens < 1:
        raise ValueError(f"needs at least 1 token to measure, not {tokens}")
    try:
        await sink.open()
        cpu_began = _cpu_seconds()
        seconds = await (_send_tokens(sink, tokens) if sink.wants_deltas else _send_items(sink, tokens))
        cpu_ms = (_cpu_seconds() - cpu_began) * 1000 / tokens
        if sink.wants_deltas:
            await sink.deliver(_item(1, text=_text(tokens), status=Status.DONE))
    finally:
        await sink.close()
    mean_ms = max(sum(seconds) / tokens * 1000, time.get_clock_info("perf_counter").resolution * 1000)
    rate = rate or (TOKEN_RATE if sink.wants_deltas else ITEM_RATE)
    return Calibration(
        unit="token" if sink.wants_deltas else "item",
        count=tokens,
        mean_ms=mean_ms,
        p95_ms=sorted(seconds)[math.ceil(0.95 * tokens) - 1] * 1000,
        cpu_ms=cpu_ms,
        rate=rate,
        pipe_size=max(1, math.ceil(target_buffer_ms / mean_ms)) if sink.wants_deltas else None,
        slots=max(1, int(1000 / (cpu_ms * rate))) if cpu_ms > 0 else None,
    )


async def _send_tokens(sink: Sink, tokens: int) -> list[float]:
    item = _item(1)
    return [await _timed(sink.delta(item, WORDS[number % len(WORDS)])) for number in range(tokens)]


async def _send_items(sink: Sink, items: int) -> list[float]:
    text = _text(500)
    return [await _timed(sink.deliver(_item(number, text=text, status=Status.DONE))) for number in range(1, items + 1)]


async def _timed(call: Awaitable[None]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


def _item(number: int, text: str = "", status: Status | None = None) -> SinkItem:
    return SinkItem(f"calibrate-{number}", 1, MODEL, status=status, text=text)


def _text(tokens: int) -> str:
    return "".join(WORDS[number % len(WORDS)] for number in range(tokens))


def _cpu_seconds() -> float:
    """CPU of the process, its threads, and the children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
