"""An answer in the words of the Messages API: a message, or the events of a stream. Pure; HTTP framing is elsewhere,
and what is said when something goes wrong stands in `strays.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from batchrun.simulator.answers import SimulatedAnswer, Thinking, ToolCall

# An event as bytes, and whether it carries content that took the model time.
Event = tuple[bytes, bool]

# message_delta and message_stop.
CLOSING_EVENTS = 2

PING = b'event: ping\ndata: {"type": "ping"}\n\n'

# The first output token is generated when message_start is sent; the API's own streams count it there.
_FIRST_OUTPUT_TOKENS = 1


def message_json(answer: SimulatedAnswer) -> bytes:
    """The whole message, as an answer without streaming."""
    message = _message(answer)
    message["content"] = _content(answer)
    message["usage"] = _usage(answer, answer.output_tokens)
    message.update(_stop(answer))
    return orjson.dumps(message)


def events(answer: SimulatedAnswer) -> Iterator[Event]:
    """The events of a stream in the API's order."""
    yield start(answer), False
    index = 0
    if answer.thinking is not None:
        yield from _block(index, {"type": "thinking", "thinking": "", "signature": ""}, _thoughts(answer.thinking))
        index += 1
    if answer.tokens:
        yield from _block(index, {"type": "text", "text": ""}, _pieces("text_delta", "text", index, answer.tokens))
        index += 1
    if answer.tool is not None:
        yield from _block(index, _tool(answer.tool, {}), _arguments(answer.tool, index))
    usage = _usage(answer, answer.output_tokens)
    yield event("message_delta", {"delta": _stop(answer), "usage": usage}), False
    yield event("message_stop", {}), False


def start(answer: SimulatedAnswer) -> bytes:
    """The first event."""
    message = _message(answer)
    message["usage"] = _usage(answer, _FIRST_OUTPUT_TOKENS)
    return event("message_start", {"message": message})


def event(name: str, fields: dict[str, Any]) -> bytes:
    """An event as bytes."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name, **fields}))


def _block(index: int, block: dict[str, Any], deltas: Iterator[Event]) -> Iterator[Event]:
    yield event("content_block_start", {"index": index, "content_block": block}), False
    if index == 0:
        yield PING, False
    yield from deltas
    yield event("content_block_stop", {"index": index}), False


def _thoughts(thinking: Thinking) -> Iterator[Event]:
    yield from _pieces("thinking_delta", "thinking", 0, thinking.tokens)
    yield _delta(0, {"type": "signature_delta", "signature": thinking.signature}), False


def _arguments(tool: ToolCall, index: int) -> Iterator[Event]:
    # The API opens every tool's arguments with an empty piece.
    yield _delta(index, {"type": "input_json_delta", "partial_json": ""}), False
    yield from _pieces("input_json_delta", "partial_json", index, tool.arguments)


def _pieces(kind: str, field: str, index: int, texts: tuple[str, ...]) -> Iterator[Event]:
    """One delta each. Spelled by hand: this runs once per streamed token, and a dict would triple its cost."""
    head = (
        "event: content_block_delta\n"
        f'data: {{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{field}":'
    ).encode()
    for text in texts:
        yield head + orjson.dumps(text) + b"}}\n\n", True


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return event("content_block_delta", {"index": index, "delta": delta})


def _message(answer: SimulatedAnswer) -> dict[str, Any]:
    return {
        "id": answer.message_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _content(answer: SimulatedAnswer) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if answer.thinking is not None:
        thought = "".join(answer.thinking.tokens)
        content.append({"type": "thinking", "thinking": thought, "signature": answer.thinking.signature})
    if answer.tokens:
        content.append({"type": "text", "text": answer.text})
    if answer.tool is not None:
        content.append(_tool(answer.tool, answer.tool.input))
    return content


def _tool(tool: ToolCall, values: dict[str, Any]) -> dict[str, Any]:
    return {"type": tool.kind, "id": tool.id, "name": tool.name, "input": values}


def _stop(answer: SimulatedAnswer) -> dict[str, Any]:
    stop: dict[str, Any] = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
    if answer.stop_reason == "refusal":
        stop["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return stop


def _usage(answer: SimulatedAnswer, output_tokens: int) -> dict[str, Any]:
    created = answer.cache_creation_input_tokens
    usage: dict[str, Any] = {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": answer.cache_read_input_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": created, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
    if answer.thinking is not None:
        usage["output_tokens_details"] = {"thinking_tokens": min(answer.thinking.cost, output_tokens)}
    return usage
