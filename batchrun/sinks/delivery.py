"""One attempt's way into the sinks: the pipe's consumer, and the handing over of the whole answer at the end.

Starts no task: whoever runs the attempt starts `run()` beside it, in a task of its own, so that a sink's CPU is charged
to no item and a slow one is not in the reader's way.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from batchrun.sinks.blame import Blame
from batchrun.sinks.sink import Sink, SinkItem
from batchrun.stream.pipe import DEFAULT_SIZE, Pipe, PipeAborted, PipeFigures, SinkFailed


class Delivery:
    """An `async with` around one attempt; the attempt puts deltas into `pipe` (None where no sink wants them), and
    `finish` hands on the answer. Leaving without `finish` aborts. `is_delivered` once every sink has the answer.

    However it is left, no sink is called for this attempt any more once it is left, so the next attempt of the item may
    begin. A cancellation alone does not wait for that.
    """

    def __init__(self, sink: Sink, item: SinkItem, size: int = DEFAULT_SIZE) -> None:
        self.pipe = Pipe(size) if sink.wants_deltas else None
        self._sink = sink
        self._item = item
        self._now = asyncio.get_running_loop().time
        self._answer: SinkItem | None = None
        self._is_decided = asyncio.Event()
        self._is_over = asyncio.Event()
        self.is_delivered = False
        self._failure: SinkFailed | None = None
        self._lag = 0.0

    def __repr__(self) -> str:
        state = "delivered" if self.is_delivered else "over" if self._is_over.is_set() else "on its way"
        return f"<Delivery {self._item.id!r} attempt {self._item.attempt} {state}>"

    @property
    def figures(self) -> PipeFigures:
        """Those of the pipe; nothing but zeros where there is none."""
        return PipeFigures() if self.pipe is None else self.pipe.figures

    @property
    def is_waiting(self) -> bool:
        """Whether the answer is whole, and the sinks alone are waited for."""
        return self._answer is not None and not self._is_over.is_set()

    @property
    def held_up(self) -> float:
        """Seconds for which the sinks alone kept the attempt: the reader's waits, and their lag behind its end."""
        return self.figures.waited + self._lag

    async def finish(self, answer: SinkItem) -> None:
        """The answer is whole. Returns when every sink has it.

        Raises:
            SinkFailed: one of them has not; the item is not finished.
        """
        began = self._now()
        self._answer = answer
        self._decide()
        try:
            await self._is_over.wait()
        finally:
            self._lag = self._now() - began
        if self._failure is not None:
            raise self._failure
        if not self.is_delivered:
            raise SinkFailed(f"{self._sink.name}: the delivery was broken off")

    async def run(self) -> None:
        """The consumer's side. Raises nothing of the sinks': who waits at the other end is told."""
        try:
            # Whatever a sink may raise besides ends its item: from here it would end the run.
            with Blame(self._sink.name):
                if await self._pass_on_deltas():
                    await self._hand_over()
        except SinkFailed as failed:
            self._failure = failed
            if self.pipe is not None:
                self.pipe.fail(failed)
        finally:
            self._is_over.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is None:
            self._decide()
        if isinstance(exc, asyncio.CancelledError):
            return
        await self._is_over.wait()
        if exc is not None and self._failure is not None and self._failure not in {exc, exc.__cause__}:
            # The attempt failed first. What cannot even be told to forget it is nothing to pay another one for.
            raise self._failure

    def _decide(self) -> None:
        self._is_decided.set()
        if self.pipe is not None and self._answer is None:
            self.pipe.abort()
        elif self.pipe is not None:
            self.pipe.close()

    async def _pass_on_deltas(self) -> bool:
        """Whether an answer may follow."""
        if self.pipe is None:
            return True
        is_told = False
        try:
            async for text in self.pipe:
                is_told = True
                await self._sink.delta(self._item, text)
        except PipeAborted:
            if is_told:
                await self._sink.abort(self._item)
            return False
        return True

    async def _hand_over(self) -> None:
        await self._is_decided.wait()
        if self._answer is None:
            return
        if self.pipe is not None and self.pipe.figures.put == 0 and self._answer.text:
            # It came in one document; whoever wants deltas gets it as one.
            await self._sink.delta(self._item, self._answer.text)
        await self._sink.deliver(self._answer)
        self.is_delivered = True
