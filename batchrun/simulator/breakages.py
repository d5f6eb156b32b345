"""Answers that are broken off, or that never come to an end: a function a fault. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from batchrun.simulator.delivery import opening, streamed, strike, strikes_before_the_head, whole
from batchrun.simulator.framing import LAST_CHUNK, chunk, head, stream_head
from batchrun.simulator.script import NO_STATUS, Ending, Part, Piece, Script

_CHUNKED_JSON = {"content-type": "application/json", "transfer-encoding": "chunked"}


def reset(part: Part) -> Script:
    return Script(_status(part), opening(part), Ending.RESET)


def silence(part: Part) -> Script:
    # Without streaming nothing is sent before the answer is whole, so that silence is silence from the start, unless
    # the head is asked for.
    is_early = strikes_before_the_head(part) or not (part.streamed or "at" in part.fault.options)
    return Script(NO_STATUS if is_early else 200, iter(()) if is_early else opening(part), Ending.HANG)


def truncated(part: Part) -> Script:
    # A body of announced length cannot end early and cleanly: there it is the connection that ends.
    can_stay = part.streamed and not strikes_before_the_head(part)
    return Script(_status(part), opening(part, LAST_CHUNK), Ending.KEEP if can_stay else Ending.CLOSE)


def cut(part: Part) -> Script:
    if strikes_before_the_head(part):
        torn = stream_head(part.request_id, part.headers)
        return Script(NO_STATUS, iter([(part.scenario.ttft, torn[: len(torn) // 2], 0)]), Ending.CLOSE)
    if not part.streamed:
        return Script(200, opening(part), Ending.CLOSE)
    event, _ = next(islice(part.wording.events(part.answer), strike(part), None))
    return Script(200, opening(part, chunk(event)[: len(event) // 2]), Ending.CLOSE)


def stale(part: Part) -> Script:
    """The end of a kept connection; that it is one, the service sees to."""
    is_reset = part.fault.options.get("how") == "reset"
    return Script(NO_STATUS, iter(()), Ending.RESET if is_reset else Ending.CLOSE)


def no_http(part: Part) -> Script:
    return Script(NO_STATUS, iter([(0.0, b"SSH-2.0-simulator\r\n\r\n", 0)]), Ending.CLOSE)


def slow(part: Part) -> Script:
    return whole(part, factor=part.scenario.slow_factor)


def slow_head(part: Part) -> Script:
    return Script(200, _with_slow_head(list(whole(part).pieces), part.fault.every))


def pings(part: Part) -> Script:
    return Script(200, _for_ever(opening(part), part.wording.ping, part), Ending.HANG)


def drip(part: Part) -> Script:
    """Words after the first word of the answer; blanks in front of a document, which may stand there."""
    if not part.streamed:
        start = iter([(part.scenario.ttft, head(200, part.request_id, _CHUNKED_JSON | dict(part.headers)), 0)])
        return Script(200, _for_ever(start, b" ", part), Ending.HANG)
    events = list(part.wording.events(part.answer))
    words = [at for at, (_, took_time) in enumerate(events) if took_time]
    begun = events[: words[0] + 1] if words else events[: -part.wording.closing_events]
    return Script(200, _for_ever(streamed(part, begun, b""), part.wording.drop(" drip"), part), Ending.HANG)


def _status(part: Part) -> int:
    return NO_STATUS if strikes_before_the_head(part) else 200


def _for_ever(start: Iterator[Piece], data: bytes, part: Part) -> Iterator[Piece]:
    due = 0.0
    for piece in start:
        due = piece[0]
        yield piece
    while True:
        due += part.fault.every
        yield due, chunk(data), 1


def _with_slow_head(pieces: list[Piece], every: float) -> Iterator[Piece]:
    due = pieces[0][0]
    text, gap, body = pieces[0][1].partition(b"\r\n\r\n")
    for byte in text + gap:
        yield due, bytes([byte]), 0
        due += every
    late = due - pieces[0][0]
    yield due, body, pieces[0][2]
    for when, data, events in pieces[1:]:
        yield when + late, data, events
