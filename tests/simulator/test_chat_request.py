"""A chat completions request as the Messages request that asks for the same."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.simulator.answers import answer_for
from batchrun.simulator.chat_request import DEFAULT_MAX_TOKENS, messages_request
from batchrun.simulator.request import request_hash
from tests.simulator.chat import FORCED, TOOL, chat_body
from tests.simulator.wire import body_of

MODEL = {"model": "claude-haiku-5-5", "max_tokens": 1000}
USER = {"role": "user", "content": "Hello"}
PNG = "data:image/png;base64,QUJD"
SCHEMA = TOOL["function"]["parameters"]  # type: ignore[index]  # a literal of mixed values
REPORT = {"name": "file_report", "input_schema": SCHEMA}

SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": (chat_body("Hello"), body_of("Hello")),
    "a system message": (
        chat_body("", messages=[{"role": "system", "content": "Be short."}, USER]),
        body_of("Hello", system="Be short."),
    ),
    "a developer message of parts": (
        chat_body("", messages=[{"role": "developer", "content": [{"type": "text", "text": "Be short."}]}, USER]),
        body_of("Hello", system=[{"type": "text", "text": "Be short."}]),
    ),
    "several system messages": (
        chat_body("", messages=[{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, USER]),
        body_of("Hello", system=[{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]),
    ),
    "a later system message": (
        chat_body("", messages=[USER, {"role": "system", "content": "Now be short."}, USER]),
        body_of("", messages=[USER, {"role": "system", "content": "Now be short."}, USER]),
    ),
    "the other name of the limit": (
        chat_body("Hello", max_tokens=None, max_completion_tokens=1000),
        body_of("Hello"),
    ),
    "a stop": (chat_body("Hello", stop="the"), body_of("Hello", stop_sequences=["the"])),
    "several stops": (chat_body("Hello", stop=["the", "a"]), body_of("Hello", stop_sequences=["the", "a"])),
    "a forced tool": (
        chat_body("Hello", **FORCED),
        body_of("Hello", tools=[REPORT], tool_choice={"type": "tool", "name": "file_report"}),
    ),
    "any tool": (
        chat_body("Hello", tools=[TOOL], tool_choice="required"),
        body_of("Hello", tools=[REPORT], tool_choice={"type": "any"}),
    ),
    "reasoning": (
        chat_body("Hello", reasoning_effort="low"),
        body_of("Hello", thinking={"type": "adaptive"}),
    ),
    "images": (
        chat_body("", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]),
        body_of(
            "",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
                    ],
                }
            ],
        ),
    ),
    "fields of both": (chat_body("Hello", temperature=0.5, seed=None), body_of("Hello", temperature=0.5)),
    "how it travels": (chat_body("Hello", stream=True, stream_options={"include_usage": True}), body_of("Hello")),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_question_has_the_same_answer(case: str) -> None:
    """The same hash, so the same text, faults and directives on either wire."""
    chat, messages = SAME[case]
    asked = messages_request(chat)
    assert {name: value for name, value in asked.items() if name != "stream"} == messages
    assert request_hash(asked) == request_hash(messages)
    assert answer_for(asked) == answer_for(messages)


def test_without_a_limit_an_answer_is_as_long_as_it_likes() -> None:
    """Chat completions need none."""
    body = chat_body("Write [[tokens=5000]]", max_tokens=None)
    answer = answer_for(messages_request(body))
    assert (len(answer.tokens), answer.stop_reason) == (5000, "end_turn")
    assert messages_request(body)["max_tokens"] == DEFAULT_MAX_TOKENS


def test_what_has_no_counterpart_counts_and_changes_nothing_else() -> None:
    """Another seed is another question; a field of the other API is none here."""
    assert request_hash(messages_request(chat_body("a", seed=1))) != request_hash(messages_request(chat_body("a")))
    assert messages_request(chat_body("a", stop_sequences=7, system="x")) == messages_request(chat_body("a"))


def test_a_part_that_is_no_image_passes_as_it_came() -> None:
    """Sound, files, and what somebody made up."""
    parts = [{"type": "image_url"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, "odd", 7]
    asked = messages_request(chat_body("", messages=[{"role": "user", "content": parts}]))
    url = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    assert asked["messages"][0]["content"] == [parts[0], url, "odd", 7]
