"""The lines of an OpenAI batch output file. Pure.

What a server has answered stands in `response`, an error with its status too; `error` is for what got no answer at all,
and for what is pending, which has expired there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from batchrun.export.result import count, error_of, error_type, has_answer, made_id
from batchrun.journal.record import to_json

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_REFUSED = "The model refused."  # a refusal without words is one all the same
_EXPIRED = {"code": "batch_expired", "message": "This request has not been answered yet; run the batch again."}


def openai_line(id: str, result: dict[str, Any] | None) -> bytes:
    response, error = (None, _EXPIRED) if result is None else _end(result)
    line = {"id": made_id("batch_req_", result or {"id": id}), "custom_id": id, "response": response, "error": error}
    return to_json(line) + b"\n"


def _end(result: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """`response` and `error`, of which one is null."""
    if has_answer(result):
        return {"status_code": 200, "request_id": None, "body": _completion(result)}, None
    error = error_of(result)
    status, message = error.get("status"), str(error.get("message") or "no message")
    if not isinstance(status, int) or status < 400:
        return None, {"code": str(error.get("cause") or "unknown"), "message": message}
    told = {"message": message, "type": error_type(error), "param": None, "code": error.get("cause")}
    return {"status_code": status, "request_id": error.get("request_id"), "body": {"error": told}}, None


def _completion(result: dict[str, Any]) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": _message(result),
        "logprobs": None,
        "finish_reason": _FINISH_REASONS.get(str(result.get("stop_reason")), "stop"),
    }
    return {
        "id": made_id("chatcmpl-", result),
        "object": "chat.completion",
        "created": _seconds(result.get("finished")),
        "model": result.get("model") or "",
        "choices": [choice],
        "usage": _usage(result.get("usage")),
    }


def _message(result: dict[str, Any]) -> dict[str, Any]:
    text = str(result.get("text") or "")
    calls = [_call(block) for block in result.get("content") or [] if block.get("type") == "tool_use"]
    if result.get("stop_reason") == "refusal":
        return {"role": "assistant", "content": None, "refusal": text or _REFUSED}
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    return message | ({"tool_calls": calls} if calls else {})


def _call(block: dict[str, Any]) -> dict[str, Any]:
    # A call that was cut off, or whose input is no JSON, keeps its text.
    arguments = block.get("partial_json") or to_json(block.get("input") or {}).decode()
    function = {"name": str(block.get("name") or ""), "arguments": arguments}
    return {"id": str(block.get("id") or ""), "type": "function", "function": function}


def _usage(usage: object) -> dict[str, Any]:
    """There, what the cache took and gave is part of the prompt."""
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    prompt, completion = count(usage, "input_tokens") + read + written, count(usage, "output_tokens")
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return told | ({"prompt_tokens_details": {"cached_tokens": read}} if read else {})


def _seconds(stamp: object) -> int:
    try:
        return int(datetime.fromisoformat(str(stamp)).timestamp())
    except ValueError:
        return 0
