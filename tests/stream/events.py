"""Events of the Messages API as a test spells them, and how they look on the wire. What they mean is not known here."""

from __future__ import annotations

from typing import Any

import orjson

Event = dict[str, Any]

PING: Event = {"type": "ping"}
MESSAGE_STOP: Event = {"type": "message_stop"}


def message_start(id: str = "msg_1", *, model: str = "claude-haiku-5-5", **usage: Any) -> Event:
    head: Event = {"id": id, "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None}
    return {"type": "message_start", "message": head | {"usage": {"input_tokens": 10, "output_tokens": 1} | usage}}


def block_start(index: int = 0, kind: str = "text", **fields: Any) -> Event:
    blank: Event = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {})
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind} | blank | fields}


def delta(index: int, kind: str, **fields: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind} | fields}


def text(piece: str, index: int = 0) -> Event:
    return delta(index, "text_delta", text=piece)


def tool_json(piece: str, index: int = 0) -> Event:
    return delta(index, "input_json_delta", partial_json=piece)


def block_stop(index: int = 0) -> Event:
    return {"type": "content_block_stop", "index": index}


def message_delta(stop_reason: str | None = "end_turn", **usage: Any) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}


def error(kind: str, message: str = "it gave up") -> Event:
    return {"type": "error", "error": {"type": kind, "message": message}}


def answer(*pieces: str, stop_reason: str = "end_turn") -> list[Event]:
    """A whole stream with one text block."""
    tokens = len(pieces)
    texts = [text(piece) for piece in pieces]
    end = [block_stop(), message_delta(stop_reason, output_tokens=tokens), MESSAGE_STOP]
    return [message_start(), block_start(), PING, *texts, *end]


def document(*pieces: str, stop_reason: str = "end_turn") -> bytes:
    """The same answer as it comes without streaming."""
    content = [{"type": "text", "text": "".join(pieces)}]
    head = message_start()["message"] | {"content": content, "stop_reason": stop_reason}
    return orjson.dumps(head | {"usage": {"input_tokens": 10, "output_tokens": len(pieces)}})


def on_the_wire(*events: Event) -> bytes:
    """The body that carries the events."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)
