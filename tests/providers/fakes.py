"""Providers that tell their story by their name, for whoever stands above the seam.

What each of them does is a list of steps, so that the same story can be played on a real wire (`scripted_server.py`)
and the fake be held to what the real thing does with it. Times are in seconds of the loop's clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import repeat

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.failures import cause_of_status
from batchrun.providers.provider import ConnectionWatch, HearsQuotas, Pace, Request, Wire
from tests.stream.events import PING, answer, block_start, document, error, message_start, on_the_wire, text

STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so long."""

    seconds: float


class End(Enum):
    """How a body ends if not cleanly."""

    RESET = "the connection is torn down"
    SILENCE = "nothing more, and the connection stays"


Step = bytes | Wait | End


class FakeReply:
    """A 200 whose body is a list of steps."""

    def __init__(self, steps: Iterator[Step], content_type: str, paces: list[Pace]) -> None:
        self._steps = steps
        self._content_type = content_type
        self._paces = paces

    @property
    def is_stream(self) -> bool:
        return self._content_type.startswith("text/event-stream")

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in _play(self._steps):
            yield chunk

    def pace(self, pace: Pace) -> None:
        self._paces.append(pace)


class FakeProvider:
    """What all of them share. `requests` are those that came, `open_replies` those that are not closed yet, `paces`
    what the reader asked for; `before` happens between the request and the head of the answer."""

    wire = Wire.MESSAGES
    base_url = "https://fake.invalid"
    credential = "none needed"
    content_type = STREAM
    before: tuple[Step, ...] = ()
    connect_seconds = 0.0

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.open_replies = 0
        self.paces: list[Pace] = []
        self.warmed = 0
        self.dropped = 0
        self.is_closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.requests)} requests>"

    def steps(self, request: Request) -> Iterator[Step]:
        """The body, piece by piece."""
        raise NotImplementedError

    def failure(self, request: Request) -> Failure | None:
        """Why there is no body at all."""
        return None

    def open(
        self, request: Request, connect_timeout: float, watch: ConnectionWatch
    ) -> AbstractAsyncContextManager[FakeReply]:
        self.requests.append(request)
        return self._open(request, connect_timeout, watch)

    def listen(self, heard: HearsQuotas) -> None:
        self.heard = heard

    def scrubbed(self, text: str) -> str:
        return text

    async def warm(self, connect_timeout: float) -> None:
        self.warmed += 1

    async def drop(self) -> None:
        self.dropped += 1

    async def close(self) -> None:
        self.is_closed = True

    @asynccontextmanager
    async def _open(self, request: Request, connect_timeout: float, watch: ConnectionWatch) -> AsyncIterator[FakeReply]:
        await self._connect(connect_timeout, watch)
        async for _ in _play(iter(self.before)):
            raise AssertionError("no bytes come before the head")
        if failure := self.failure(request):
            raise AttemptFailed(failure)
        self.open_replies += 1
        try:
            yield FakeReply(self.steps(request), self.content_type, self.paces)
        finally:
            self.open_replies -= 1

    async def _connect(self, connect_timeout: float, watch: ConnectionWatch) -> None:
        watch.connecting()
        await asyncio.sleep(min(self.connect_seconds, connect_timeout))
        if self.connect_seconds > connect_timeout:
            raise AttemptFailed(Failure(Cause.CONNECT, f"no connection within {connect_timeout:g} s"))
        watch.connected()


class ProviderThatAnswers(FakeProvider):
    """Answers with the given pieces, or with words about the prompt, `seconds_a_piece` apart."""

    def __init__(self, *pieces: str, stop_reason: str = "end_turn", seconds_a_piece: float = 0.0) -> None:
        super().__init__()
        self.pieces = pieces
        self.stop_reason = stop_reason
        self.seconds_a_piece = seconds_a_piece

    def text_for(self, request: Request) -> tuple[str, ...]:
        """The pieces of the answer, so that a test can see that no answer was mixed up."""
        messages = request.body.get("messages") or [{"content": "nothing"}]
        return self.pieces or ("You ", "asked: ", str(messages[-1]["content"]))

    def steps(self, request: Request) -> Iterator[Step]:
        for event in answer(*self.text_for(request), stop_reason=self.stop_reason):
            if event["type"] == "content_block_delta" and self.seconds_a_piece:
                yield Wait(self.seconds_a_piece)
            yield on_the_wire(event)


class ProviderThatAnswersInOneDocument(ProviderThatAnswers):
    """Sends JSON, though a stream may have been asked for."""

    content_type = JSON

    def steps(self, request: Request) -> Iterator[Step]:
        yield document(*self.text_for(request), stop_reason=self.stop_reason)


class ProviderThatStutters(ProviderThatAnswers):
    """A whole answer, a byte at a time, its lines ending in CR LF."""

    def steps(self, request: Request) -> Iterator[Step]:
        whole = on_the_wire(*answer(*self.text_for(request))).replace(b"\n", b"\r\n")
        yield from (whole[at : at + 1] for at in range(len(whole)))


class ProviderThatMakesRemarks(ProviderThatAnswers):
    """A whole answer, with what gateways add to keep a connection alive before each event and after the last."""

    remarks = b": still here\n\nevent: ping\ndata: still here\n\ndata:\n\ndata: [DONE]\n\n"

    def steps(self, request: Request) -> Iterator[Step]:
        for event in answer(*self.text_for(request)):
            yield self.remarks + on_the_wire(event)
        yield self.remarks


class ProviderThatRepeatsItself(ProviderThatAnswers):
    """Begins the message twice."""

    def steps(self, request: Request) -> Iterator[Step]:
        yield on_the_wire(message_start(), *answer(*self.text_for(request)))


class ProviderThatIsSlowToConnect(ProviderThatAnswers):
    """The connection takes `connect_seconds`."""

    def __init__(self, connect_seconds: float) -> None:
        super().__init__("Hello", " there")
        self.connect_seconds = connect_seconds


class ProviderThatNeverAnswers(FakeProvider):
    """Takes the request and sends not even a head."""

    before = (End.SILENCE,)


class ProviderThatStallsAfterHeaders(FakeProvider):
    """Sends a 200 and then never a byte."""

    def steps(self, request: Request) -> Iterator[Step]:
        yield End.SILENCE


class Interrupted(FakeProvider):
    """An answer of eight characters, or none at all, and then what the story is about."""

    def __init__(self, *, after_text: bool = True) -> None:
        super().__init__()
        self.after_text = after_text

    def steps(self, request: Request) -> Iterator[Step]:
        if self.after_text:
            yield on_the_wire(message_start(), block_start(), PING, text("Half"), text(" an "))
        yield from self.interruption()

    def interruption(self) -> Iterator[Step]:
        raise NotImplementedError


class ProviderThatFallsSilent(Interrupted):
    """Begins, and then not a byte more, the connection open."""

    def interruption(self) -> Iterator[Step]:
        yield End.SILENCE


class ProviderThatBreaksInMidAnswer(Interrupted):
    """Begins, and then the connection is reset."""

    def interruption(self) -> Iterator[Step]:
        yield End.RESET


class ProviderThatEndsWithoutStopReason(Interrupted):
    """Begins, and ends cleanly, as if that had been all."""

    def interruption(self) -> Iterator[Step]:
        yield b""


class ProviderThatEndsInMidEvent(Interrupted):
    """Begins, and ends cleanly in the middle of a line."""

    def interruption(self) -> Iterator[Step]:
        yield on_the_wire(text("answer"))[:-20]


class ProviderThatSendsGarbage(Interrupted):
    """Begins, and goes on with data that is no JSON."""

    def interruption(self) -> Iterator[Step]:
        yield b'event: content_block_delta\ndata: {"type": oops}\n\n'


class ProviderThatSendsOnlyPings(Interrupted):
    """Begins, and then lives on without ever saying anything more."""

    every = 0.02

    def interruption(self) -> Iterator[Step]:
        for ping in repeat(on_the_wire(PING)):
            yield Wait(self.every)
            yield ping


class ProviderThatDripsForever(Interrupted):
    """Begins, and never comes to an end."""

    every = 0.02

    def interruption(self) -> Iterator[Step]:
        yield b"" if self.after_text else on_the_wire(message_start(), block_start())
        for drop in repeat(on_the_wire(text("drip "))):
            yield Wait(self.every)
            yield drop


class ProviderThatGivesUpInMidAnswer(Interrupted):
    """Begins, and then says that it cannot go on."""

    def __init__(self, error_type: str = "overloaded_error", *, after_text: bool = True) -> None:
        super().__init__(after_text=after_text)
        self.error_type = error_type

    def interruption(self) -> Iterator[Step]:
        yield on_the_wire(error(self.error_type))


class ProviderThatEndsAfterTheStopReason(ProviderThatAnswers):
    """Says all but the last event, and then does what `end` says: None is a clean end, bytes are a torn event."""

    def __init__(self, end: Step | None = None) -> None:
        super().__init__("Hello", " there")
        self.end = end

    def steps(self, request: Request) -> Iterator[Step]:
        yield on_the_wire(*answer(*self.text_for(request))[:-1])
        if self.end is not None:
            yield self.end


class ProviderThatTurnsAway(FakeProvider):
    """Answers with a status that is no 200."""

    def __init__(self, status: int, *, retry_after: float | None = None) -> None:
        super().__init__()
        self.status = status
        self.retry_after = retry_after

    def failure(self, request: Request) -> Failure | None:
        return Failure(cause_of_status(self.status), "turned away", self.status, self.retry_after)


class ProviderThatFails(FakeProvider):
    """No answer, for whatever cause."""

    def __init__(self, cause: Cause, *, retry_after: float | None = None) -> None:
        super().__init__()
        self._failure = Failure(cause, f"{cause} on purpose", retry_after=retry_after)

    def failure(self, request: Request) -> Failure | None:
        return self._failure


class ProviderThatChanges(FakeProvider):
    """Each request meets the next of the given providers, and all further ones the last."""

    def __init__(self, *stories: FakeProvider) -> None:
        super().__init__()
        self._stories = stories

    def open(
        self, request: Request, connect_timeout: float, watch: ConnectionWatch
    ) -> AbstractAsyncContextManager[FakeReply]:
        story = self._stories[min(len(self.requests), len(self._stories) - 1)]
        self.requests.append(request)
        return story.open(request, connect_timeout, watch)


async def _play(steps: Iterator[Step]) -> AsyncIterator[bytes]:
    for step in steps:
        match step:
            case Wait(seconds=seconds):
                await asyncio.sleep(seconds)
            case End.SILENCE:
                await asyncio.get_running_loop().create_future()
            case End.RESET:
                raise AttemptFailed(Failure(Cause.BROKEN, "the connection broke in mid-answer"))
            case bytes() if step:
                await asyncio.sleep(0)
                yield step
