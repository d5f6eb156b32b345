"""Answers that an earlier run has paid for, on their way into the sinks: nobody is asked, so there is no slot, no
provider and no price here.

Judges nothing and starts no task itself; whoever runs it says how many go at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from batchrun.attempts import Ended, Manner, guarded
from batchrun.failure import Cause, Failure
from batchrun.item import Item, Kept
from batchrun.masking import scrubbed
from batchrun.outcome import Outcome
from batchrun.sinks.delivery import Delivery
from batchrun.sinks.sink import Sink, answered, coming
from batchrun.stream.pipe import SinkFailed

Start = Callable[[Coroutine[Any, Any, None]], None]


class Redelivery:
    """`start` starts a task beside the caller's; `rescue` takes the outcome of an item that is cut off when the sinks
    have its answer already. `under_way` counts the answers that they have not taken yet."""

    def __init__(self, manner: Manner, start: Start, rescue: Callable[[Outcome], None]) -> None:
        self._sink = manner.sink
        self._buffer = manner.buffer
        self._start = start
        self._rescue = rescue
        self._now = asyncio.get_running_loop().time
        self.under_way = 0

    def __repr__(self) -> str:
        return f"<Redelivery of {self.under_way}>"

    async def make(self, item: Item) -> Ended:
        """Hand the item's kept answer to the sinks; without any it is finished as it is."""
        kept = item.kept
        assert kept is not None
        if self._sink is None:
            return Ended(kept.message, kept.measure)

        def of_bug(words: str) -> Ended:
            # With the answer, which is paid: a bug that was mended by the next run costs nothing.
            return Ended(Failure(Cause.BUG, scrubbed(words, None)), kept.measure, kept.message)

        self.under_way += 1
        try:
            return await guarded(self._deliver(item, kept, self._sink), item.job.id, of_bug)
        finally:
            self.under_way -= 1

    async def _deliver(self, item: Item, kept: Kept, sink: Sink) -> Ended:
        job = item.job
        # By the number of the attempt that was paid, for the whole answer bears it too.
        delivery = Delivery(sink, coming(job.id, kept.attempts, job.model, job.metadata), self._buffer)
        self._start(delivery.run())
        try:
            async with delivery:
                await delivery.finish(answered(item.answered(kept.message, kept.measure, self._now())))
        except SinkFailed as failed:
            measure = replace(kept.measure, held_up=delivery.held_up)
            return Ended(Failure(Cause.SINK, str(failed)), measure, kept.message)
        except asyncio.CancelledError:
            if delivery.is_delivered:  # else it stays kept as it was
                self._rescue(item.answered(kept.message, kept.measure, self._now()))
            raise
        return Ended(kept.message, replace(kept.measure, held_up=delivery.held_up))
