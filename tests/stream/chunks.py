"""Chunks of a chat completion as a test spells them, and how they look on the wire. What they mean is unknown here."""

from __future__ import annotations

from typing import Any

import orjson

Chunk = dict[str, Any]

DONE = b"[DONE]"
HEAD: Chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "llama"}


def chunk(delta: Any = None, finish: Any = None, *, index: int = 0, **fields: Any) -> Chunk:
    choice = {"index": index, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": finish}
    return HEAD | {"choices": [choice]} | fields


def role() -> Chunk:
    return chunk({"role": "assistant", "content": ""})


def text(piece: str) -> Chunk:
    return chunk({"content": piece})


def tool(index: int | None, arguments: Any, *, id: str | None = None, name: str | None = None) -> Chunk:
    """A piece of a tool call; what is None is left out."""
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    call: Chunk = {"function": function} | ({} if id is None else {"id": id, "type": "function"})
    return chunk({"tool_calls": [call if index is None else {"index": index} | call]})


def usage(prompt: Any = 10, completion: Any = 5, **more: Any) -> Chunk:
    return HEAD | {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion} | more}


def answer(*pieces: str, finish: str = "stop") -> list[Chunk | bytes]:
    """A whole stream, with as many tokens as pieces."""
    return [role(), *map(text, pieces), chunk(finish=finish), usage(10, len(pieces)), DONE]


def completion(*pieces: str, finish: Any = "stop", **message: Any) -> bytes:
    """The same answer as it comes without streaming."""
    said = {"role": "assistant", "content": "".join(pieces), "refusal": None} | message
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    told = {"prompt_tokens": 10, "completion_tokens": len(pieces), "total_tokens": 10 + len(pieces)}
    return orjson.dumps(HEAD | {"object": "chat.completion", "choices": [choice], "usage": told})


def data_of(event: Chunk | bytes) -> bytes:
    return event if isinstance(event, bytes) else orjson.dumps(event)


def on_the_wire(*events: Chunk | bytes, field: bytes = b"data: ") -> bytes:
    """The body that carries the events."""
    return b"".join(field + data_of(event) + b"\n\n" for event in events)
