"""How an answer is delivered: as a stream or as a document, at the pace of its scenario, whole or up to some point.

Pure. Faults are written from these; what each of them does is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice, repeat
from random import Random

from batchrun.simulator.events import Event
from batchrun.simulator.framing import LAST_CHUNK, chunk, json_head, stream_head
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import Part, Piece, Script

HEAD, FIRST, MIDDLE, LAST, STOP = "head", "first", "middle", "last", "stop"
_SHARES = {HEAD: 0.0, FIRST: 0.0, MIDDLE: 0.5, LAST: 1.0, STOP: 1.0}


def whole(part: Part, *, factor: float = 1.0) -> Script:
    """All of it; `factor` is by how much slower."""
    return Script(200, streamed(part, factor=factor) if part.streamed else document(part, factor=factor))


def opening(part: Part, tail: bytes = b"") -> Iterator[Piece]:
    """The share of the response before the fault strikes, then `tail`."""
    if strikes_before_the_head(part):
        return iter(())
    if not part.streamed:
        return document(part, share=share(part))
    return streamed(part, islice(part.wording.events(part.answer), strike(part)), tail)


def strikes_before_the_head(part: Part) -> bool:
    """Whether the client hears nothing at all."""
    # Without streaming nothing is sent before the answer is whole, but for the head.
    return part.fault.options.get("at") == HEAD


def share(part: Part) -> float:
    """Which share of the answer comes before the fault strikes."""
    at = part.fault.options.get("at")
    if at is None:
        return part.fault.point
    return _SHARES[at] if at in _SHARES else float(at)


def strike(part: Part) -> int:
    """How many events are sent before the fault strikes: so few that the next one is no closing event either, unless
    the fault is to strike after the stop reason."""
    open_events = sum(1 for _ in part.wording.events(part.answer)) - part.wording.closing_events
    return int(share(part) * open_events) + (part.fault.options.get("at") == STOP)


def document(part: Part, *, factor: float = 1.0, share: float | None = None) -> Iterator[Piece]:
    """Without streaming all comes at once, after the time that the model takes for it; never the last byte of an answer
    of which only a share is to come."""
    body = part.wording.document(part.answer)
    sent = body if share is None else body[: min(int(len(body) * share), len(body) - 1)]
    yield due_of_document(part, factor), json_head(200, part.request_id, len(body), part.headers) + sent, 0


def due_of_document(part: Part, factor: float = 1.0) -> float:
    """When a document is there, in seconds after the request."""
    return (part.scenario.ttft + part.answer.output_tokens * part.scenario.gap_seconds) * factor


def streamed(
    part: Part,
    events: Iterable[Event] | None = None,
    tail: bytes = LAST_CHUNK,
    *,
    factor: float = 1.0,
    encode: Callable[[bytes], bytes] = chunk,
) -> Iterator[Piece]:
    """The events (of the whole answer, where none are given), each a chunk and a segment of its own, then `tail`."""
    due = part.scenario.ttft * factor
    head = stream_head(part.request_id, part.headers)
    sent = part.wording.events(part.answer) if events is None else events
    if not part.scenario.gap_seconds:
        # Nobody can tell segments apart that leave in the same microsecond, and one write is 50 times cheaper.
        chunks = [encode(data) for data, _ in sent]
        yield due, b"".join([head, *chunks, tail]), len(chunks)
        return
    gaps = _gaps(part.scenario, factor, part.answer.request)
    yield due, head, 0
    for data, took_time in sent:
        yield due, encode(data), 1
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
