"""What a long answer takes in memory while it grows: little more than its own letters."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from itertools import chain

import pytest

from batchrun.providers.provider import Request, Wire
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.meter import Account, Meter
from tests.providers.fakes import FakeProvider, Step
from tests.stream import chunks, events

LETTERS = 512 * 1024
PIECE = " was"
READ = 32 * 1024  # bytes; what may gather before a reader is woken
# Beside the letters: the strings of which they are joined, once; the text that is joined of them; one read.
TIMES = 4


class ProviderThatWritesABook(FakeProvider):
    """Its answer has half a million letters, each piece of it four."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire

    def steps(self, request: Request) -> Iterator[Step]:
        if self.wire is Wire.CHAT:
            whole, piece = chunks.on_the_wire(*chunks.answer(PIECE)), chunks.on_the_wire(chunks.text(PIECE))
        else:
            whole, piece = events.on_the_wire(*events.answer(PIECE)), events.on_the_wire(events.text(PIECE))
        place = whole.index(piece)
        count = READ // len(piece)
        reads = LETTERS // len(PIECE) // count
        yield from chain((whole[:place],), (piece * count for _ in range(reads)), (whole[place:],))


@pytest.mark.parametrize("wire", Wire)
def test_a_long_answer_takes_a_few_times_its_letters(wire: Wire) -> None:
    """A piece by itself takes sixteen times the place of its letters, and its event thirty times."""

    async def ask() -> int:
        message = await attempt(ProviderThatWritesABook(wire), Request({}), ClockLimits(), Meter(Account()))
        return len(message.text)

    asyncio.run(ask())  # what the first answer alone makes is not counted
    tracemalloc.start()
    try:
        letters = asyncio.run(ask())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert letters > 0.99 * LETTERS
    assert peak < TIMES * letters, peak / letters
