"""How a response goes over the wire: its pieces, when each is due, and what happens to the socket after the last one.

Pure. A new fault is a `FaultKind`, a function here and a row in `_PLAY`; the player (`playback.py`) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count, islice, repeat
from random import Random
from typing import NamedTuple

from batchrun.simulator.answers import SimulatedAnswer
from batchrun.simulator.events import CLOSING_EVENTS, Event, events, message_json
from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.framing import LAST_CHUNK, chunk, json_head, stream_head
from batchrun.simulator.scenario import Scenario

# When it is due (seconds after the request), the bytes of one segment, and how many events are in it.
Piece = tuple[float, bytes, int]


class Ending(Enum):
    """What happens to the socket after the last piece."""

    KEEP = auto()  # kept alive for the next request
    CLOSE = auto()
    RESET = auto()
    HANG = auto()  # nothing, until the client goes


@dataclass(frozen=True, slots=True)
class Script:
    """One response. `pieces` is made as it is played, so that a thousand streams in flight hold no thousand bodies."""

    status: int
    pieces: Iterator[Piece]
    ending: Ending = Ending.KEEP


class Wording(NamedTuple):
    """How an answer is said: as the events of a stream, and as one document.

    A fault strikes before the `closing_events`, for an answer with a stop reason is a whole one.
    """

    events: Callable[[SimulatedAnswer], Iterator[Event]]
    document: Callable[[SimulatedAnswer], bytes]
    closing_events: int


MESSAGES = Wording(events, message_json, CLOSING_EVENTS)


@dataclass(frozen=True, slots=True)
class Part:
    """All that the script of an answer is written from."""

    answer: SimulatedAnswer
    streamed: bool
    fault: Fault
    scenario: Scenario
    request_id: str
    wording: Wording = MESSAGES


def json_script(status: int, body: bytes, request_id: str, headers: dict[str, str] | None = None) -> Script:
    """A JSON response at once."""
    return Script(status, iter([(0.0, json_head(status, request_id, len(body), headers) + body, 0)]))


def answer_script(part: Part) -> Script:
    """An answer as its fault lets it through; the fault is any but STATUS."""
    return _PLAY[part.fault.kind](part)


def _whole(part: Part) -> Script:
    return Script(200, _stream(part, LAST_CHUNK) if part.streamed else _message(part))


def _slow(part: Part) -> Script:
    factor = part.scenario.slow_factor
    return Script(200, _stream(part, LAST_CHUNK, factor=factor) if part.streamed else _message(part, factor=factor))


def _reset(part: Part) -> Script:
    return Script(200, _opening(part), Ending.RESET)


def _cut(part: Part) -> Script:
    if not part.streamed:
        return Script(200, _opening(part), Ending.CLOSE)
    torn, _ = next(islice(part.wording.events(part.answer), _strike(part), None))
    return Script(200, _opening(part, chunk(torn)[: len(torn) // 2]), Ending.CLOSE)


def _truncated(part: Part) -> Script:
    # A body of announced length cannot end early and cleanly: there it is the connection that ends.
    return Script(200, _opening(part, LAST_CHUNK), Ending.KEEP if part.streamed else Ending.CLOSE)


def _silence(part: Part) -> Script:
    # Without streaming nothing is sent before the answer is whole, so that silence is silence from the start.
    return Script(200, _opening(part) if part.streamed else iter(()), Ending.HANG)


_PLAY: dict[FaultKind, Callable[[Part], Script]] = {
    FaultKind.NONE: _whole,
    FaultKind.SLOW: _slow,
    FaultKind.RESET: _reset,
    FaultKind.CUT: _cut,
    FaultKind.TRUNCATED: _truncated,
    FaultKind.SILENCE: _silence,
}


def _opening(part: Part, tail: bytes = b"") -> Iterator[Piece]:
    """The share of the response before the fault strikes, then `tail`."""
    return _stream(part, tail, limit=_strike(part)) if part.streamed else _message(part, share=part.fault.point)


def _strike(part: Part) -> int:
    """How many events are sent before the fault strikes: so few that the next one is no closing event either."""
    open_events = sum(1 for _ in part.wording.events(part.answer)) - part.wording.closing_events
    return int(part.fault.point * open_events)


def _message(part: Part, *, factor: float = 1.0, share: float = 1.0) -> Iterator[Piece]:
    """Without streaming all comes at once, after the time that the model takes for it."""
    body = part.wording.document(part.answer)
    due = (part.scenario.ttft + part.answer.output_tokens * part.scenario.gap_seconds) * factor
    yield due, json_head(200, part.request_id, len(body)) + body[: int(len(body) * share)], 0


def _stream(part: Part, tail: bytes, *, factor: float = 1.0, limit: int | None = None) -> Iterator[Piece]:
    """The first `limit` events, each a chunk and a segment of its own, then `tail`."""
    due = part.scenario.ttft * factor
    sent = islice(part.wording.events(part.answer), limit)
    if not part.scenario.gap_seconds:
        # Nobody can tell segments apart that leave in the same microsecond, and one write is 50 times cheaper.
        chunks = [chunk(data) for data, _ in sent]
        yield due, b"".join([stream_head(part.request_id), *chunks, tail]), len(chunks)
        return
    gaps = _gaps(part.scenario, factor, part.answer.request)
    yield due, stream_head(part.request_id), 0
    for data, took_time in sent:
        yield due, chunk(data), 1
        if took_time:
            due += next(gaps)
    if tail:
        yield due, tail, 0


def _gaps(scenario: Scenario, factor: float, request: str) -> Iterator[float]:
    gap = scenario.gap_seconds * factor
    if not scenario.jitter:
        return repeat(gap)
    chance = Random(int(request, 16))
    return (gap * (1 + scenario.jitter * chance.uniform(-1, 1)) for _ in count())
