"""Cases in which nothing goes wrong, and the answer is of a kind that has to be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from batchrun.failure import Cause
from batchrun.outcome import Status
from batchrun.providers.provider import Wire
from tests.faults.case import WIRES, Case, End, answered, failed

_TOOL: dict[Wire, dict[str, Any]] = {
    Wire.MESSAGES: {
        "tools": [{"name": "file", "input_schema": {"type": "object", "properties": {"pages": {"type": "integer"}}}}],
        "tool_choice": {"type": "tool", "name": "file"},
    },
    Wire.CHAT: {},
}


def cases() -> Iterator[Case]:
    for wire in WIRES:
        for streamed in (True, False):
            yield from _of_both_wires(wire, streamed)
    for streamed in (True, False):
        yield from _of_messages(streamed)
        yield from _of_chat(streamed)


def _of_both_wires(wire: Wire, streamed: bool) -> Iterator[Case]:
    def case(name: str, rule: str, script: str, end: End, **fields: Any) -> Case:
        return Case(name, (rule,), wire, streamed, script, end, fields=fields)

    yield case("whole", "F6", "", answered())
    yield case("refusal", "F21", "[[refuse]]", End(Status.REFUSED, stop_reason="refusal"))
    cut_off = End(Status.INCOMPLETE, stop_reason="max_tokens")
    yield case("limit", "F22", "[[tokens=50]]", cut_off, max_tokens=9)
    yield case("stop-max_tokens", "F22", "[[stop=max_tokens]]", cut_off)
    tomorrow = answered(stop_reason="reason_of_tomorrow")
    yield case("tomorrow", "F23", "[[stop=reason_of_tomorrow]]", tomorrow)
    yield case("no-content", "F24", "[[tokens=0]]", answered("empty_answer"))
    # More than the SDK sends without a timeout of its own.
    yield case("large-limit", "F34", "[[tokens=20]]", answered(), max_tokens=64_000)


def _of_messages(streamed: bool) -> Iterator[Case]:
    def case(name: str, rule: str, script: str, end: End, **fields: Any) -> Case:
        return Case(name, (rule,), Wire.MESSAGES, streamed, script, end, fields=fields)

    window = "model_context_window_exceeded"
    yield case("window", "F22", f"[[stop={window}]]", End(Status.INCOMPLETE, stop_reason=window))
    yield case("tool", "F23", "", answered(stop_reason="tool_use"), **_TOOL[Wire.MESSAGES])
    paused = End(Status.DONE, requests=3, flags=("paused",), stop_reason="end_turn", is_whole=False)
    yield case("pause", "F23", "[[stop=pause_turn*2]]", paused)
    # Twice on its way: the part that had been said is not asked for again.
    broken = replace(paused, attempts=3, requests=4, retried={Cause.BROKEN: 2})
    yield case("pause-broken", "F23", "[[stop=pause_turn*1]] [[fault=reset at=first*1]]", broken)
    for_ever = End(Status.INCOMPLETE, requests=6, flags=("paused",), stop_reason="pause_turn", is_whole=False)
    yield case("pause-for-ever", "F23", "[[stop=pause_turn]]", for_ever)
    refused = failed(Cause.BAD_REQUEST)
    yield Case("prefill", ("F35",), Wire.MESSAGES, streamed, "", refused, prefill="I say")


def _of_chat(streamed: bool) -> Iterator[Case]:
    window = End(Status.INCOMPLETE, stop_reason="model_context_window_exceeded")
    yield Case("window", ("F22",), Wire.CHAT, streamed, "[[stop=model_length]]", window)
    for reason, cause in (("error", Cause.SERVER_ERROR), ("insufficient_system_resource", Cause.OVERLOADED)):
        broken = failed(cause, 3, final=False)
        yield Case(f"stop-{reason}", ("F10",), Wire.CHAT, streamed, f"[[stop={reason}]]", broken)
