"""What each wire says: its answers, and all that a fault may put between their events, as one row a wire. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from batchrun.simulator.answers import SimulatedAnswer
from batchrun.simulator.chat_events import (
    FIRST_DELTA,
    KEEP_ALIVE,
    chat_events,
    choice_of,
    chunk_head,
    closing_events,
    completion_json,
)
from batchrun.simulator.events import CLOSING_EVENTS, PING, event, events, message_json, start
from batchrun.simulator.faults import FaultKind
from batchrun.simulator.script import Wording

Json = dict[str, Any]
Stray = Callable[[SimulatedAnswer], bytes]

_TROUBLE = "The simulator was asked for this error."
_OTHER_ID = "of_another_answer"
# Line ends to those who read text, and ordinary characters to those who read event streams.
_BREAKS = "one\u2028two\u2029three\u0085four"
_MEGABYTE = 1024 * 1024


def _delta(index: int, delta: Json) -> bytes:
    return event("content_block_delta", {"index": index, "delta": delta})


def _piece(text: str) -> bytes:
    return _delta(0, {"type": "text_delta", "text": text})


def _error(kind: str, code: str | None) -> Json:
    error: Json = {"type": kind, "message": _TROUBLE}
    return error | ({"details": {"error_code": code}} if code else {})


def _garbage(field: bytes) -> bytes:
    return field + b'{"type": oops}\n\n'


_MESSAGES_STRAYS: Mapping[FaultKind, Stray] = {
    FaultKind.MALFORMED: lambda answer: _garbage(b"event: content_block_delta\ndata: "),
    FaultKind.DUPLICATE_START: start,
    FaultKind.OTHER_START: lambda answer: start(replace(answer, message_id=f"msg_{_OTHER_ID}")),
    FaultKind.UNKNOWN_EVENT: lambda answer: event("weather", {"sky": "cloudy"}),
    FaultKind.UNKNOWN_DELTA: lambda answer: _delta(0, {"type": "smell_delta", "smell": "rain"}),
    FaultKind.CLOSED_INDEX: lambda answer: _delta(7, {"type": "text_delta", "text": "lost"}),
    FaultKind.AFTER_END: lambda answer: _piece("one thing more"),
    FaultKind.BREAKS: lambda answer: event("ping", {"note": _BREAKS}),
    FaultKind.MEGABYTE: lambda answer: event("ping", {"note": "m" * _MEGABYTE}),
}

MESSAGES = Wording(
    events=events,
    document=message_json,
    closing_events=CLOSING_EVENTS,
    ping=PING,
    drop=_piece,
    error=lambda kind, code: event("error", {"error": _error(kind, code)}),
    error_document=lambda kind, code: orjson.dumps({"type": "error", "error": _error(kind, code)}),
    strays=_MESSAGES_STRAYS,
)


def chat_wording(*, with_usage: bool, with_space: bool) -> Wording:
    """The words of chat completions, with what the client asked for and in the way of the server."""
    field = b"data: " if with_space else b"data:"
    say = partial(_say, field)

    def error(kind: str, code: str | None) -> Json:
        return {"error": {"message": _TROUBLE, "type": kind, "param": None, "code": code}}

    strays: Mapping[FaultKind, Stray] = {
        FaultKind.MALFORMED: lambda answer: _garbage(field),
        FaultKind.DUPLICATE_START: lambda answer: say(chunk_head(answer) | choice_of(FIRST_DELTA)),
        FaultKind.OTHER_START: lambda answer: say(
            chunk_head(answer) | {"id": f"chatcmpl-{_OTHER_ID}"} | choice_of(FIRST_DELTA)
        ),
        FaultKind.UNKNOWN_EVENT: lambda answer: say({"object": "weather", "sky": "cloudy"}),
        FaultKind.UNKNOWN_DELTA: lambda answer: say(
            chunk_head(answer) | choice_of({"content": [{"type": "smell", "smell": "rain"}]})
        ),
        FaultKind.CLOSED_INDEX: lambda answer: say(
            chunk_head(answer) | {"choices": [{"index": 7, "delta": {"content": "lost"}}]}
        ),
        FaultKind.AFTER_END: lambda answer: say(chunk_head(answer) | choice_of({"content": "one thing more"})),
        FaultKind.BREAKS: lambda answer: say(chunk_head(answer) | {"choices": [], "note": _BREAKS}),
        FaultKind.MEGABYTE: lambda answer: say(chunk_head(answer) | {"choices": [], "note": "m" * _MEGABYTE}),
    }
    return Wording(
        events=partial(chat_events, with_usage=with_usage, with_space=with_space),
        document=completion_json,
        closing_events=closing_events(with_usage=with_usage),
        ping=KEEP_ALIVE,
        drop=lambda text: say(choice_of({"content": text})),
        error=lambda kind, code: say(error(kind, code)),
        error_document=lambda kind, code: orjson.dumps(error(kind, code)),
        strays=strays,
    )


def _say(field: bytes, document: Json) -> bytes:
    return field + orjson.dumps(document) + b"\n\n"
