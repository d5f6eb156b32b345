"""The text of one stream, piece by piece, to whoever wants to look at it or to end it.

It is what an attempt does, with a way in between; it reads paced as a run does, and gives no message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.provider import Provider, Reply, Request
from batchrun.stream.attempt import MAX_TICK, TICK_PER_AGE
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.folds import FOLDS, Fold
from batchrun.stream.message import Kind, StreamError, Truncated
from batchrun.stream.meter import Account, Meter
from batchrun.stream.sse import ProtocolError, SSEDecoder
from batchrun.stream.watch import Watch

# Takes a piece of the text and the number of tokens so far, and says whether it was enough: True closes the stream.
TextTaker = Callable[[str, int], Awaitable[bool]]


@dataclass(slots=True)
class StreamEnd:
    """What a stream has brought. `other_events` are those that carried no piece of the answer."""

    fold: Fold
    was_enough: bool = False
    pieces: int = 0
    other_events: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def characters(self) -> int:
        return sum(map(len, self.texts))


async def read_stream(provider: Provider, request: Request, limits: ClockLimits, take: TextTaker) -> StreamEnd:
    """Ask for a stream and hand its text on until it ends or is enough.

    Raises:
        AttemptFailed: there was no answer, or it broke before it was whole or enough.
    """
    end = StreamEnd(FOLDS[provider.wire]())
    try:
        async with Watch(limits) as watch, provider.open(request, limits.connect, watch) as reply:
            if not reply.is_stream:
                raise AttemptFailed(Failure(Cause.PROTOCOL, "a document came though a stream was asked for"))
            await _read(reply, watch, end, take)
        if not end.was_enough:
            end.fold.message()
    except (ProtocolError, Truncated, StreamError) as exc:
        raise AttemptFailed(Failure(Cause.PROTOCOL, str(exc))) from exc
    return end


async def _read(reply: Reply, watch: Watch, end: StreamEnd, take: TextTaker) -> None:
    decoder, meter = SSEDecoder(), Meter(Account())
    async for chunk in reply.chunks():
        watch.received()
        for event in decoder.feed(chunk):
            kind = end.fold.feed(event.data)
            if kind is not Kind.PING:
                watch.progressed()
            if kind is not Kind.CONTENT:
                end.other_events += 1
                if kind is Kind.STOP_REASON:
                    reply.pace(0.0)
                continue
            reply.pace(min(MAX_TICK, meter.content() * TICK_PER_AGE))
            end.pieces += 1
            end.texts.append(end.fold.last_text)
            if not end.was_enough:
                # What the same chunk brings beyond the end is counted, for it was sent and will be billed.
                end.was_enough = await take(end.fold.last_text, end.fold.received_tokens)
        if end.was_enough:
            return
