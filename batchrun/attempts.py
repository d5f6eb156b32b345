"""The attempts of a run that are under way, each with its meter, its stop rule and its delivery to the sinks.

However one ends, it ends here as a value; what follows from that is judged elsewhere. Only an attempt that is cut off
passes on its cancellation. Tasks are started by the engine, which lends its hand for it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.item import Item
from batchrun.jobs.job import Job
from batchrun.lane import Lane
from batchrun.outcome import Measure, Outcome
from batchrun.providers.provider import Request
from batchrun.sinks.delivery import Delivery
from batchrun.sinks.sink import Sink, answered, coming
from batchrun.stream.attempt import Listeners, attempt
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from batchrun.stream.pipe import DEFAULT_SIZE, SinkFailed
from batchrun.stream.stop_rule import StopRule, StopWhen, parse_stop_when

log = logging.getLogger("batchrun")

CUT_OFF = "the run was stopped before the sinks had the answer"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run asks: streamed or not and where to stop, unless a job says otherwise; who takes the answers, over a
    pipe of how many pieces."""

    stream: bool = True
    stop_when: StopWhen | None = None
    sink: Sink | None = None
    buffer: int = DEFAULT_SIZE


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended. `undelivered` is an answer that is whole and paid, but that a sink did not take."""

    result: Message | Failure
    measure: Measure
    undelivered: Message | None = None


@dataclass(frozen=True, slots=True)
class Hands:
    """What attempts cannot do for themselves: start a task beside them, have an outcome written though their own item
    is being cut off, count the tokens of a job that are thrown away then, and pay for an answer or for a part of one
    (True: for a further part; its cost in US dollars, None where it is not known)."""

    start: Callable[[Coroutine[Any, Any, None]], None]
    rescue: Callable[[Outcome], None]
    waste: Callable[[Job, int], None]
    pay: Callable[[Job, Message, bool], float | None]


class Attempts:
    """Makes one for an item at a time; knows all that are under way."""

    def __init__(self, manner: Manner, hands: Hands) -> None:
        self._manner = manner
        self._hands = hands
        self._now = asyncio.get_running_loop().time
        # The live view counts both from a thread of its own. A set or a dict is copied in one piece, under the
        # interpreter's lock and without a collection of garbage in between; a loop over it, or `tuple()`, is not.
        self._meters: dict[Meter, str] = {}
        self._deliveries: set[Delivery] = set()
        self._buffer = manner.buffer
        self._is_hurried = False

    def __repr__(self) -> str:
        return f"<Attempts {len(self._meters)} under way>"

    @property
    def chunks(self) -> int:
        """Pieces that have come so far of what is still coming; about a token each."""
        return sum(meter.chunks for meter in self._meters.copy())

    def answering(self, backend: str) -> int:
        """How many of a backend's have shown what they cost: an answer is coming, and if a sink takes it, piece by
        piece."""
        if self._manner.sink is not None and not self._manner.sink.wants_deltas:
            return 0
        return sum(name == backend for meter, name in self._meters.items() if meter.chunks)

    @property
    def with_sinks(self) -> int:
        """Answers that are whole, and that the sinks have not taken yet."""
        return sum(delivery.is_waiting for delivery in self._deliveries.copy())

    def resize(self, buffer: int) -> None:
        """From now on a pipe holds so many pieces; those in use take it at once."""
        if buffer != self._buffer and not self._is_hurried:
            log.info("pipes: %d -> %d pieces", self._buffer, buffer)
            self._set_buffer(buffer)

    def hurry(self) -> None:
        """From now on no reader waits for a sink: an answer that has been read can be kept for the next run, what is
        still unread when the run is cut off is paid for nothing."""
        self._is_hurried = True
        self._set_buffer(sys.maxsize)

    def _set_buffer(self, buffer: int) -> None:
        self._buffer = buffer
        for delivery in self._deliveries:
            if delivery.pipe is not None:
                delivery.pipe.resize(buffer)

    async def make(self, item: Item, lane: Lane, account: Account) -> Ended:
        """Ask once."""
        item.attempts += 1
        meter = Meter(account)
        self._meters[meter] = lane.name

        def of_bug(words: str) -> Ended:
            return Ended(Failure(Cause.BUG, lane.provider.scrubbed(words)), meter.measure(0))

        try:
            return await guarded(self._make(item, lane, meter), item.job.id, of_bug)
        finally:
            del self._meters[meter]

    async def _make(self, item: Item, lane: Lane, meter: Meter) -> Ended:
        try:
            if self._manner.sink is not None:
                return await self._deliver(item, lane, meter, self._manner.sink)
            message = await self._ask(item, lane, meter)
            return Ended(message, _measured(meter, message))
        except AttemptFailed as failed:
            return Ended(failed.failure, meter.measure(failed.failure.partial_tokens))

    async def _ask(self, item: Item, lane: Lane, meter: Meter, delivery: Delivery | None = None) -> Message:
        job = item.job
        stream = self._manner.stream if job.stream is None else job.stream
        limits = lane.clocks.after_idle_retries(item.idle_retries) if stream else lane.clocks.for_document()
        message, paid_chunks = None, 0
        try:
            while message is None:  # a model that pauses is asked to go on
                request, listeners = Request(item.parts.request(job.body), stream), self._listeners(job, delivery)
                part = await attempt(lane.provider, request, limits, meter, listeners)
                paid_chunks = meter.chunks
                # Each part is billed by itself, whatever becomes of the next one.
                message = item.take(part, self._hands.pay(job, part, item.parts.has_begun))
        except asyncio.CancelledError:
            self._hands.waste(job, meter.chunks - paid_chunks)  # about a token each; the provider never told
            raise
        return message

    def _listeners(self, job: Job, delivery: Delivery | None) -> Listeners:
        stop_when = self._manner.stop_when if job.stop_when is None else parse_stop_when(job.stop_when)
        return Listeners(
            None if delivery is None else delivery.pipe, None if stop_when is None else StopRule(stop_when)
        )

    async def _deliver(self, item: Item, lane: Lane, meter: Meter, sink: Sink) -> Ended:
        """The same with the sinks beside it; it ends when they have all of the answer."""
        job = item.job
        delivery = Delivery(sink, coming(job.id, item.attempts, job.model, job.metadata), self._buffer)
        self._hands.start(delivery.run())
        self._deliveries.add(delivery)
        message = None
        try:
            async with delivery:
                message = await self._ask(item, lane, meter, delivery)
                await delivery.finish(answered(item.answered(message, _measured(meter, message), self._now())))
        except SinkFailed as failed:
            failure = Failure(Cause.SINK, str(failed), partial_tokens=meter.chunks if message is None else 0)
            return Ended(failure, _measured(meter, message, delivery.held_up), message)
        except asyncio.CancelledError:
            if message is not None:
                self._rescue(item, message, _measured(meter, message, delivery.held_up), delivery)
            raise
        finally:
            self._deliveries.discard(delivery)
        return Ended(message, _measured(meter, message, delivery.held_up))

    def _rescue(self, item: Item, message: Message, measure: Measure, delivery: Delivery) -> None:
        """Have an answer kept whose item is cut off: it is paid, and only the sinks may not have taken it."""
        if delivery.is_delivered:
            self._hands.rescue(item.answered(message, measure, self._now()))
        else:
            failure = Failure(Cause.SINK, CUT_OFF)
            self._hands.rescue(item.failed(failure, measure, self._now(), final=False, answer=message))


async def guarded(making: Awaitable[Ended], id: str, of_bug: Callable[[str], Ended]) -> Ended:
    """What is made; of an exception that nobody expected, what `of_bug` makes of its words, which are not scrubbed."""
    try:
        return await making
    except Exception as exc:  # the one place where a bug of ours is kept from taking the whole night with it
        log.exception("item %r: unexpected", id)
        return of_bug(f"{type(exc).__name__}: {exc}")


def _measured(meter: Meter, message: Message | None, held_up: float = 0.0) -> Measure:
    return meter.measure(meter.chunks if message is None else message.output_tokens, held_up)
