"""Bodies of chat completions for the simulator, and the answer that each should get."""

from __future__ import annotations

from typing import Any

from batchrun.simulator.answers import SimulatedAnswer, answer_for
from batchrun.simulator.chat_request import messages_request

PATH = "/v1/chat/completions"
TOOL = {
    "type": "function",
    "function": {
        "name": "file_report",
        "parameters": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "pages": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
        },
    },
}
FORCED: dict[str, Any] = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "file_report"}}}


def chat_body(prompt: str, **fields: Any) -> dict[str, Any]:
    """A body for /v1/chat/completions; the one that asks for the same as `wire.body_of`."""
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": prompt}],
        **fields,
    }


def answer_to(body: dict[str, Any]) -> SimulatedAnswer:
    """What the simulator should say."""
    return answer_for(messages_request(body))
