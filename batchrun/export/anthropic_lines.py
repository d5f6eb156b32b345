"""The lines of a Message Batches result file. Pure.

An item that has an answer has succeeded there, whole or cut off or refused, delivered or not; one that is pending has
expired, which is their word for what was not asked, is not billed and may be asked again.
"""

from __future__ import annotations

from typing import Any

from batchrun.export.result import STOP_RULE, count, error_of, error_type, has_answer, made_id
from batchrun.journal.record import to_json


def anthropic_line(id: str, result: dict[str, Any] | None) -> bytes:
    return to_json({"custom_id": id, "result": _result(result)}) + b"\n"


def _result(result: dict[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return {"type": "expired"}
    if has_answer(result):
        return {"type": "succeeded", "message": _message(result)}
    error = error_of(result)
    told = {"type": error_type(error), "message": str(error.get("message") or "no message")}
    return {"type": "errored", "error": {"type": "error", "error": told, "request_id": error.get("request_id")}}


def _message(result: dict[str, Any]) -> dict[str, Any]:
    stop_reason, stop_sequence = result.get("stop_reason"), None
    if isinstance(stop_reason, str) and stop_reason.startswith(STOP_RULE):
        # Their readers know no rules but stop sequences; that is the nearest, and it names the rule.
        stop_reason, stop_sequence = "stop_sequence", stop_reason
    usage = result.get("usage")
    return {
        "id": made_id("msg_", result),
        "type": "message",
        "role": "assistant",
        "model": result.get("model") or "",
        "content": [_block(block) for block in result.get("content") or []],
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "usage": (usage if isinstance(usage, dict) else {})
        | {"input_tokens": count(usage, "input_tokens"), "output_tokens": count(usage, "output_tokens")},
    }


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """A block with all that theirs have: another provider signs no thoughts."""
    match block.get("type"):
        case "thinking":
            return {"signature": ""} | block
        case "tool_use":
            return {"input": {}} | block
        case _:
            return block
