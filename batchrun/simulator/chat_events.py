"""An answer in the words of chat completions: a completion, or the events of a stream. Pure; HTTP framing is
elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from batchrun.simulator.answers import SimulatedAnswer, ToolCall
from batchrun.simulator.events import Event

KEEP_ALIVE = b": keep-alive\n\n"
# Unix seconds; made up, like all that is not the answer.
_CREATED = 0

FIRST_DELTA = {"role": "assistant", "content": ""}

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "refusal": "stop",  # it stands in a field of its own
    "max_tokens": "length",
    "tool_use": "tool_calls",
}


def completion_json(answer: SimulatedAnswer) -> bytes:
    """The whole completion, as an answer without streaming."""
    is_refusal = answer.stop_reason == "refusal"
    tool = _tool_of(answer)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if is_refusal or tool else answer.text,
        "refusal": answer.text if is_refusal else None,
    }
    if answer.thinking is not None:
        message["reasoning_content"] = "".join(answer.thinking.tokens)
    if tool is not None:
        message["tool_calls"] = [_call(tool, "".join(tool.arguments))]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return orjson.dumps(_head(answer, "chat.completion") | {"choices": [choice], "usage": _usage(answer)})


def chat_events(answer: SimulatedAnswer, *, with_usage: bool, with_space: bool) -> Iterator[Event]:
    """The events of a stream in the order of the API: a role, the answer, a finish_reason, the usage if it was asked
    for, `[DONE]`. Without `with_space` nothing stands between `data:` and the data, as with some servers."""
    field = b"data: " if with_space else b"data:"
    # In a stream whose usage was asked for, every chunk has the field, and all but the last leave it empty.
    head = chunk_head(answer) | ({"usage": None} if with_usage else {})

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return field + orjson.dumps(head | choice_of(delta, finish_reason)) + b"\n\n"

    yield event(FIRST_DELTA), False
    yield KEEP_ALIVE, False
    if answer.thinking is not None:
        yield from _pieces(event({"reasoning_content": "@"}), answer.thinking.tokens)
    yield from _pieces(event({"refusal" if answer.stop_reason == "refusal" else "content": "@"}), answer.tokens)
    if tool := _tool_of(answer):
        yield event({"tool_calls": [{"index": 0} | _call(tool, "")]}), False
        arguments = {"index": 0, "function": {"arguments": "@"}}
        yield from _pieces(event({"tool_calls": [arguments]}), tool.arguments)
    yield event({}, _finish_reason(answer)), False
    if with_usage:
        yield field + orjson.dumps(head | {"choices": [], "usage": _usage(answer)}) + b"\n\n", False
    yield field + b"[DONE]\n\n", False


def closing_events(*, with_usage: bool) -> int:
    """How many events follow the last piece of the answer."""
    return 3 if with_usage else 2


def chunk_head(answer: SimulatedAnswer) -> dict[str, Any]:
    """What every chunk of a stream begins with."""
    return _head(answer, "chat.completion.chunk")


def choice_of(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    """What a chunk with this delta has beside its head."""
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]}


def _pieces(pattern: bytes, texts: tuple[str, ...]) -> Iterator[Event]:
    """The pattern with each text in the place of its "@". Not dumped anew each time: this runs once per streamed token,
    and a dict would triple its cost."""
    # The last one: a model may have such a name too, and stands before it.
    before, _, after = pattern.rpartition(b'"@"')
    for text in texts:
        yield before + orjson.dumps(text) + after, True


def _head(answer: SimulatedAnswer, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{answer.request}", "object": kind, "created": _CREATED, "model": answer.model}


def _tool_of(answer: SimulatedAnswer) -> ToolCall | None:
    """The tool that the client is to call; this API knows no tools of the server's own."""
    return answer.tool if answer.tool and answer.tool.kind == "tool_use" else None


def _call(tool: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": arguments}}


def _finish_reason(answer: SimulatedAnswer) -> str:
    return _FINISH_REASONS.get(answer.stop_reason, answer.stop_reason)


def _usage(answer: SimulatedAnswer) -> dict[str, Any]:
    cached = answer.cache_read_input_tokens
    prompt = answer.input_tokens + answer.cache_creation_input_tokens + cached
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer.output_tokens,
        "total_tokens": prompt + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": answer.thinking.cost if answer.thinking else 0},
    }
