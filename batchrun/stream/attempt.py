"""One attempt: send, decode, fold, under the clocks and the meter, to a `Message` or to an `AttemptFailed`.

Nothing here decides whether there will be another attempt.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.pacer import CHARGE
from batchrun.providers.provider import AT_ONCE, Provider, Reply, Request
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.folds import DOCUMENTS, FOLDS, Fold
from batchrun.stream.message import Kind, MalformedData, Message, StreamError, Truncated
from batchrun.stream.meter import Meter
from batchrun.stream.pipe import Pipe, SinkFailed
from batchrun.stream.sse import ProtocolError, ServerSentEvent, SSEDecoder
from batchrun.stream.stop_rule import STOP_RULE, StopRule
from batchrun.stream.tick import pace_of
from batchrun.stream.watch import Watch


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of the text while it comes: `pipe` takes it, `rule` says when it is enough; either may be None. If the
    pipe's consumer fails, the answer is read to its end without it: begun means paid, and so it can be kept."""

    pipe: Pipe | None = None
    rule: StopRule | None = None


async def attempt(
    provider: Provider, request: Request, limits: ClockLimits, meter: Meter, listeners: Listeners = Listeners()
) -> Message:
    """Ask once.

    Raises:
        AttemptFailed: whatever went wrong, with the tokens that were received and are thrown away.
    """
    fold = FOLDS[provider.wire]()
    token = CHARGE.set(meter.charge)
    try:
        return await _ask(provider, request, limits, _Reading(fold, meter, listeners))
    except AttemptFailed as failed:
        raise AttemptFailed(_with_part(failed.failure, fold)) from failed
    except (ProtocolError, Truncated, StreamError) as exc:
        raise AttemptFailed(_with_part(Failure(_cause_of(exc), provider.scrubbed(str(exc))), fold)) from exc
    finally:
        CHARGE.reset(token)


def _with_part(failure: Failure, fold: Fold) -> Failure:
    """What came before it is thrown away, and told: it was paid."""
    return replace(failure, partial_tokens=fold.received_tokens, partial_characters=fold.content_characters)


async def _ask(provider: Provider, request: Request, limits: ClockLimits, reading: _Reading) -> Message:
    try:
        async with Watch(limits) as watch, provider.open(request, limits.connect, watch) as reply:
            if not reply.is_stream:
                # It has been paid for whole: there is nothing left that a rule could save.
                return DOCUMENTS[provider.wire](await _read_document(reply, watch))
            await reading.run(reply, watch)
    except (AttemptFailed, StreamError, MalformedData):
        # With its stop reason the answer is whole, and paid: whatever comes or does not come then is no reason to pay
        # again. Content would be one: it would say that what was taken for the end was none.
        if not reading.is_over:
            raise
    return reading.message()


class _Reading:
    """The reading of one stream: unpaced to the first piece of the answer and after the stop reason, paced between."""

    def __init__(self, fold: Fold, meter: Meter, listeners: Listeners) -> None:
        self._fold = fold
        self._meter = meter
        self._pipe = listeners.pipe
        self._rule = listeners.rule
        self._stopped_by: str | None = None
        self._characters = 0
        self._decoder = SSEDecoder()

    @property
    def is_over(self) -> bool:
        """Whether the answer is whole, or enough, whatever becomes of the rest of the stream."""
        return self._fold.is_complete or self._stopped_by is not None

    @property
    def _has_listener(self) -> bool:
        return self._pipe is not None or self._rule is not None

    async def run(self, reply: Reply, watch: Watch) -> None:
        async for chunk in reply.chunks():
            watch.received()
            await self._take_chunk(chunk, reply, watch)
            del chunk  # a tenth of what a stream takes, for nothing, while the next one is waited for
            # Where the end came with the same bytes, the rest is ceremony: it tells the true usage, and spares the
            # connection.
            if self._stopped_by is not None and not self._fold.is_complete:
                return
        # What the end of the body has torn is no event. Whether the answer is whole without it, the fold knows.
        with suppress(ProtocolError):
            await self._take(self._decoder.close(), reply, watch)

    def message(self) -> Message:
        """The answer; raises what the fold raises where there is none."""
        if self._stopped_by is None:
            return self._fold.message()
        assert self._rule is not None
        assert self._rule.stopped_at is not None
        return self._fold.cut(f"{STOP_RULE}{self._stopped_by}", self._rule.stopped_at)

    async def _take_chunk(self, chunk: bytes, reply: Reply, watch: Watch) -> None:
        if not self._decoder.is_between_events:
            # The rest of what the last read has torn.
            rest = chunk.find(b"\n\n") + 2
            if rest < 2:
                rest = len(chunk)
            await self._take(self._decoder.feed(chunk[:rest]), reply, watch)
            chunk = chunk[rest:]
        texts, taken = self._plain(chunk)
        if texts:
            await self._content(texts, reply, watch)
        if taken < len(chunk):
            await self._take(self._decoder.feed(chunk[taken:]), reply, watch)

    def _plain(self, chunk: bytes) -> tuple[list[str], int]:
        # Who listens is handed piece after piece, and may have to wait: not with all of a read in hand.
        if self._has_listener or not self._decoder.is_between_events:
            return [], 0
        return self._fold.feed_plain(chunk)

    async def _take(self, events: list[ServerSentEvent], reply: Reply, watch: Watch) -> None:
        """Take what one read has brought: runs of text at once, everything else by itself."""
        place = 0
        while place < len(events):
            texts = self._texts(events, place)
            if texts:
                place += len(texts)
                await self._content(texts, reply, watch)
            else:
                await self._take_one(events[place], reply, watch)
                place += 1

    def _texts(self, events: list[ServerSentEvent], place: int) -> list[str]:
        # A rule looks at each piece, with the tokens that were received by then.
        return [] if self._rule is not None else self._fold.feed_run(events, place)

    async def _take_one(self, event: ServerSentEvent, reply: Reply, watch: Watch) -> None:
        kind = self._fold.feed(event.data) if self._stopped_by is None else self._feed_beyond(event)
        if kind is Kind.STOP_REASON:
            reply.pace(AT_ONCE)
        if kind is Kind.CONTENT and self._stopped_by is None:
            await self._content([self._fold.last_text], reply, watch)
        elif kind is not Kind.PING:
            watch.progressed()
        elif self._meter.chunks and not self.is_over:
            # It was told when content came last, and the deadline of content has come nearer since.
            reply.pace(pace_of(self._meter.age, watch.left(), has_listener=self._has_listener))

    async def _content(self, texts: list[str], reply: Reply, watch: Watch) -> None:
        """The answer has grown by these; a piece of something else than text is an empty one."""
        has_listener = self._has_listener
        reply.pace(pace_of(self._meter.content(len(texts)), watch.progressed(), has_listener=has_listener))
        if has_listener:
            for text in texts:
                if text:
                    await self._hand_on(text, watch)

    async def _hand_on(self, text: str, watch: Watch) -> None:
        """Ask the rule about a piece, and give the pipe as much of it as belongs to the answer."""
        before = self._characters
        self._characters += len(text)
        if self._rule is not None:
            self._stopped_by = self._rule.feed(text, self._fold.received_tokens)
            if self._rule.stopped_at is not None:
                text = text[: max(0, self._rule.stopped_at - before)]
        if self._pipe is not None:
            try:
                await self._pipe.put(text, watch.suspended)
            except SinkFailed:
                self._pipe = None

    def _feed_beyond(self, event: ServerSentEvent) -> Kind:
        """What came with the same bytes as the end is no part of the answer, but it was sent and will be billed."""
        with suppress(ProtocolError, StreamError):
            return self._fold.feed(event.data)
        return Kind.META


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
