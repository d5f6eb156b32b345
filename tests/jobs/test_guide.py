"""What the guide says of batch files of other tools is so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchrun.jobs.to_chat import to_chat
from batchrun.jobs.to_messages import to_messages
from batchrun.jobs.translate import Untranslatable

GUIDE = Path(__file__).resolve().parents[2].joinpath("docs", "guide.md").read_text(encoding="utf-8")
_, _, ROWS = GUIDE.partition("| | is translated | cannot be |\n|---|---|---|\n")
BOTH, TO_CLAUDE, TO_CHAT = (row.split(" | ") for row in ROWS.splitlines()[:3])
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi."}]}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}

# Of each direction what stands in the columns, by its name there.
TRANSLATED = [
    *(
        (way, BOTH[1], name, {name: 1})
        for way in (to_messages, to_chat)
        for name in ("max_tokens", "temperature", "top_p")
    ),
    (to_messages, TO_CLAUDE[1], "max_completion_tokens", {"max_completion_tokens": 9}),
    (to_messages, TO_CLAUDE[1], "stop", {"stop": ["."]}),
    (to_messages, TO_CLAUDE[1], "parallel_tool_calls", {"parallel_tool_calls": False}),
    (to_messages, TO_CLAUDE[1], '"n": 1', {"n": 1}),
    (to_chat, TO_CHAT[1], "stop_sequences", {"stop_sequences": ["."]}),
    (
        to_chat,
        TO_CHAT[1],
        "disable_parallel_tool_use",
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
]
REFUSED = [
    (to_messages, TO_CLAUDE[2], "response_format", {"response_format": {"type": "json_object"}}),
    (to_messages, TO_CLAUDE[2], "seed", {"seed": 7}),
    (to_messages, TO_CLAUDE[2], "n", {"n": 2}),
    (to_messages, TO_CLAUDE[2], "logprobs", {"logprobs": True}),
    (to_messages, TO_CLAUDE[2], "logit_bias", {"logit_bias": {"7": 1}}),
    (to_messages, TO_CLAUDE[2], "reasoning_effort", {"reasoning_effort": "low"}),
    (to_messages, TO_CLAUDE[2], "user", {"user": "u"}),
    (to_chat, TO_CHAT[2], "thinking", {"thinking": {"type": "adaptive"}}),
    (to_chat, TO_CHAT[2], "top_k", {"top_k": 3}),
    (
        to_chat,
        TO_CHAT[2],
        "cache_control",
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
    ),
    (to_chat, TO_CHAT[2], "metadata.user_id", {"metadata": {"user_id": "u"}}),
]

Way = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(("way", "column", "name", "fields"), TRANSLATED)
def test_what_the_guide_calls_translated_is(way: Way, column: str, name: str, fields: dict[str, Any]) -> None:
    """It stands in that column, and no field of it is a problem."""
    assert f"`{name}`" in column
    way(ASKED | fields)


@pytest.mark.parametrize(("way", "column", "name", "fields"), REFUSED)
def test_what_the_guide_says_cannot_be_is_refused(way: Way, column: str, name: str, fields: dict[str, Any]) -> None:
    """It stands in that column, and is named as the problem."""
    assert f"`{name}`" in column
    with pytest.raises(Untranslatable) as refused:
        way(ASKED | fields)
    assert len(refused.value.problems) == 1
