"""One attempt: send, decode, fold, under the clocks and the meter, to a `Message` or to an `AttemptFailed`.

Nothing here decides whether there will be another attempt.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.provider import Provider, Reply, Request
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.folds import DOCUMENTS, FOLDS, Fold
from batchrun.stream.message import Kind, Message, StreamError, Truncated
from batchrun.stream.meter import Meter
from batchrun.stream.sse import ProtocolError, ServerSentEvent, SSEDecoder
from batchrun.stream.watch import Watch

MAX_TICK = 0.25  # seconds between reads; a batch needs no token sooner (measured: beyond it little more is saved)
TICK_PER_AGE = 1 / 50  # the end is seen half a tick late on the mean: one per cent of the wall


async def attempt(provider: Provider, request: Request, limits: ClockLimits, meter: Meter) -> Message:
    """Ask once.

    Raises:
        AttemptFailed: whatever went wrong, with the tokens that were received and are thrown away.
    """
    fold = FOLDS[provider.wire]()
    try:
        return await _ask(provider, request, limits, meter, fold)
    except AttemptFailed as failed:
        raise AttemptFailed(replace(failed.failure, partial_tokens=fold.received_tokens)) from failed
    except (ProtocolError, Truncated, StreamError) as exc:
        failure = Failure(_cause_of(exc), provider.kept(str(exc)), partial_tokens=fold.received_tokens)
        raise AttemptFailed(failure) from exc


async def _ask(provider: Provider, request: Request, limits: ClockLimits, meter: Meter, fold: Fold) -> Message:
    try:
        async with Watch(limits) as watch, provider.open(request, limits.connect, watch) as reply:
            if not reply.is_stream:
                return DOCUMENTS[provider.wire](await _read_document(reply, watch))
            await _Reading(reply, fold, watch, meter).run()
    except AttemptFailed:
        # With its stop reason the answer is whole, and paid: whatever the wire does then is no reason to pay again.
        if not fold.is_complete:
            raise
    return fold.message()


class _Reading:
    """The reading of one stream: unpaced to the first piece of the answer and after the stop reason, paced between."""

    def __init__(self, reply: Reply, fold: Fold, watch: Watch, meter: Meter) -> None:
        self._reply = reply
        self._fold = fold
        self._watch = watch
        self._meter = meter
        self._decoder = SSEDecoder()

    async def run(self) -> None:
        async for chunk in self._reply.chunks():
            self._watch.received()
            self._take(self._decoder.feed(chunk))
        # What the end of the body has torn is no event. Whether the answer is whole without it, the fold knows.
        with suppress(ProtocolError):
            self._take(self._decoder.close())

    def _take(self, events: list[ServerSentEvent]) -> None:
        for event in events:
            kind = self._fold.feed(event.data)
            if kind is Kind.CONTENT:
                self._watch.progressed()
                self._pace(self._meter.content())
            elif kind is Kind.STOP_REASON:
                self._watch.progressed()
                self._reply.pace(0.0)
            elif kind is Kind.META:
                self._watch.progressed()

    def _pace(self, age: float) -> None:
        self._reply.pace(min(MAX_TICK, age * TICK_PER_AGE))


async def _read_document(reply: Reply, watch: Watch) -> bytes:
    body = bytearray()
    async for chunk in reply.chunks():
        watch.received()
        watch.progressed()
        body += chunk
    return bytes(body)


def _cause_of(exc: ProtocolError | Truncated | StreamError) -> Cause:
    match exc:
        case StreamError(cause=cause):
            return cause
        case Truncated():
            return Cause.TRUNCATED
        case ProtocolError():
            return Cause.PROTOCOL
