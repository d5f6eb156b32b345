"""Answers whose events are not what they should be: one too many, one too few, one that is no event. Pure.

What such an event looks like on each wire stands in that wire's `Wording`.
"""

from __future__ import annotations

from batchrun.simulator.delivery import due_of_document, share, streamed, strike
from batchrun.simulator.framing import json_head
from batchrun.simulator.script import Part, Script

_OVERLOADED = "overloaded_error"


def error_event(part: Part) -> Script:
    """Without streaming: status 200, and a document that is an error."""
    kind, code = part.fault.options.get("type", _OVERLOADED), part.fault.options.get("code")
    if not part.streamed:
        return _document(part, part.wording.error_document(kind, code))
    begun = list(part.wording.events(part.answer))[: strike(part)]
    return Script(200, streamed(part, [*begun, (part.wording.error(kind, code), False)]))


def stray(part: Part) -> Script:
    """One event more, where the fault strikes."""
    return _slipped_in(part, strike(part))


def repeated_start(part: Part) -> Script:
    """The first event twice: at once, unless the fault says where."""
    return _slipped_in(part, max(1, strike(part)) if "at" in part.fault.options else 1)


def inside_a_block(part: Part) -> Script:
    """One event more, after the first piece of the text."""
    pieces = (at for at, (_, took_time) in enumerate(part.wording.events(part.answer), start=1) if took_time)
    return _slipped_in(part, next(pieces, strike(part)))


def after_the_end(part: Part) -> Script:
    """One event more, after all others."""
    return _slipped_in(part, None)


def malformed(part: Part) -> Script:
    """Without streaming: a document of the right length with something else in the middle of it."""
    if part.streamed:
        return stray(part)
    body = bytearray(part.wording.document(part.answer))
    at = min(int(len(body) * share(part)), len(body) - 1)
    body[at] = 0
    return _document(part, bytes(body))


def no_reason(part: Part) -> Script:
    """The event with the stop reason is left out."""
    events = list(part.wording.events(part.answer))
    del events[-part.wording.closing_events]
    return Script(200, streamed(part, events))


def _slipped_in(part: Part, at: int | None) -> Script:
    events = list(part.wording.events(part.answer))
    events.insert(len(events) if at is None else at, (part.wording.strays[part.fault.kind](part.answer), False))
    return Script(200, streamed(part, events))


def _document(part: Part, body: bytes) -> Script:
    head = json_head(200, part.request_id, len(body), part.headers)
    return Script(200, iter([(due_of_document(part), head + body, 0)]))
