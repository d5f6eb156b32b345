"""A request said in the other dialect: what goes there and back asks the same, and what cannot be said is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.jobs.to_chat import to_chat
from batchrun.jobs.to_messages import to_messages
from batchrun.jobs.translate import Untranslatable

USER = [{"role": "user", "content": "Say a word."}]

# -- there and back ----------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=3)
text_blocks = words.filter(bool).map(lambda text: {"type": "text", "text": text})
sources = st.builds(
    lambda media, data: {"type": "base64", "media_type": f"image/{media}", "data": data},
    st.sampled_from(["png", "jpeg", "gif", "webp"]),
    st.sampled_from(["AA==", "iVBORw0KGgo="]),
) | st.just({"type": "url", "url": "https://example.com/a.png"})
images = sources.map(lambda source: {"type": "image", "source": source})
results = st.builds(
    lambda id, content: {"type": "tool_result", "tool_use_id": id, "content": content},
    names,
    words | st.lists(text_blocks, min_size=1, max_size=2),
)
uses = st.builds(
    lambda id, name, given: {"type": "tool_use", "id": id, "name": name, "input": given}, *[names] * 2, objects
)
user_contents = words | st.builds(
    lambda results, blocks: results + blocks,
    st.lists(results, max_size=2),
    st.lists(text_blocks | images, min_size=1, max_size=3),
)
assistant_contents = words | st.builds(
    lambda texts, uses: texts + uses, st.lists(text_blocks, min_size=1, max_size=2), st.lists(uses, max_size=2)
)
turns = st.builds(
    lambda pairs, last: [turn for pair in pairs for turn in pair] + [{"role": "user", "content": last}],
    st.lists(
        st.tuples(
            user_contents.map(lambda content: {"role": "user", "content": content}),
            assistant_contents.map(lambda content: {"role": "assistant", "content": content}),
        ),
        max_size=2,
    ),
    user_contents,
)
tools = st.fixed_dictionaries(
    {"name": names, "input_schema": objects}, optional={"description": words, "strict": st.booleans()}
)
choices = st.one_of(
    st.just({"type": "none"}),
    st.builds(
        lambda choice, alone: choice | ({"disable_parallel_tool_use": True} if alone else {}),
        st.sampled_from([{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}]),
        st.booleans(),
    ),
)
requests = st.fixed_dictionaries(
    {"model": names, "max_tokens": st.integers(1, 9999), "messages": turns},
    optional={
        "system": words | st.lists(text_blocks, min_size=1, max_size=2),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "stop_sequences": st.lists(words, min_size=1, max_size=3),
        "tools": st.lists(tools, min_size=1, max_size=2),
        "tool_choice": choices,
    },
)


@given(requests)
def test_a_request_that_goes_there_and_back_is_the_same(request_: dict[str, Any]) -> None:
    """From the Messages API to chat completions and back: every field and block, in order, to the letter."""
    assert to_messages(to_chat(request_)) == request_


@given(requests)
def test_what_is_said_in_chat_goes_there_and_back_too(request_: dict[str, Any]) -> None:
    """From chat completions to the Messages API and back."""
    said = to_chat(request_)
    assert to_chat(to_messages(said)) == said


@given(requests)
def test_a_translation_leaves_the_original_alone(request_: dict[str, Any]) -> None:
    """The line's own values are still what was fingerprinted."""
    before = json.dumps(request_)
    to_messages(to_chat(request_))
    assert json.dumps(request_) == before


@given(
    st.fixed_dictionaries(
        {"messages": values}, optional=dict.fromkeys(("tools", "tool_choice", "system", "stop"), values)
    )
)
def test_no_request_is_worse_than_untranslatable(request_: dict[str, Any]) -> None:
    """Whatever stands in a line, it is translated or its problems are named; nothing else is raised."""
    for translate in (to_chat, to_messages):
        with suppress(Untranslatable):
            assert translate(request_)["messages"] is not None


CHAT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "instructions before the first turn": (
        {"messages": [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}, *USER]},
        {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "messages": USER},
    ),
    "instructions later": (
        {"messages": [*USER, {"role": "developer", "content": "a"}, *USER]},
        {"messages": [*USER, {"role": "system", "content": "a"}, *USER]},
    ),
    "one stop": ({"stop": "x"}, {"stop_sequences": ["x"]}),
    "the newer bound": ({"max_completion_tokens": 7}, {"max_tokens": 7}),
    "calls with an empty text": (
        {
            "messages": [
                *USER,
                {
                    "role": "assistant",
                    "content": "",
                    "refusal": None,
                    "annotations": [],
                    "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}],
                },
                {"role": "tool", "tool_call_id": "t", "content": "4"},
                {"role": "user", "content": "And?"},
            ]
        },
        {
            "messages": [
                *USER,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t", "content": "4"},
                        {"type": "text", "text": "And?"},
                    ],
                },
            ]
        },
    ),
    "a tool without parameters": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]},
    ),
    "one call at a time": (
        {"parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    "what says nothing": (
        {"n": 1, "logprobs": False, "stop": None, "tools": [], "seed": None, "response_format": {"type": "text"}},
        {},
    ),
    "a picture with the usual detail": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://x/y", "detail": "auto"}}],
                }
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}]}
            ]
        },
    ),
}


@pytest.mark.parametrize(("asked", "said"), CHAT.values(), ids=CHAT.keys())
def test_what_chat_completions_write_in_another_way_is_understood(asked: dict[str, Any], said: dict[str, Any]) -> None:
    """Other spellings of what the Messages API knows too."""
    rest = {"model": "m", "messages": USER}
    assert to_messages(rest | asked) == rest | said


def test_instructions_among_the_messages_are_understood() -> None:
    """Where a simple line writes its system prompt as a message, as people do who come from the other side."""
    messages = [{"role": "system", "content": "Be brief."}, *USER]
    assert to_chat({"system": "Be kind.", "messages": messages})["messages"] == [
        {"role": "system", "content": "Be kind."},
        *messages,
    ]


# -- what cannot be said -----------------------------------------------------------------------------------------------


def block(**more: Any) -> list[dict[str, Any]]:
    """A user's turn with one text block that says `more`."""
    return [{"role": "user", "content": [{"type": "text", "text": "x"} | more]}]


def user(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


TEXT = {"type": "text", "text": "x"}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}

UNSAID_IN_CHAT: dict[str, tuple[dict[str, Any], str]] = {
    "thinking": ({"thinking": {"type": "disabled"}}, "thinking"),
    "metadata": ({"metadata": {"user_id": "u"}}, "metadata"),
    "top_k": ({"top_k": 3}, "top_k"),
    "output_config": ({"output_config": {"effort": "low"}}, "output_config"),
    "another tier": ({"service_tier": "standard_only"}, "service_tier"),
    "a cached system": ({"system": [TEXT | {"cache_control": {"type": "ephemeral"}}]}, "system[0].cache_control"),
    "a system that is a number": ({"system": 7}, "system"),
    "a cached text": ({"messages": block(cache_control={"type": "ephemeral"})}, "messages[0].content[0].cache_control"),
    "citations": ({"messages": block(citations=[])}, "messages[0].content[0].citations"),
    "a document": ({"messages": user({"type": "document", "source": {}})}, "messages[0].content[0]"),
    "a picture of another kind": (
        {"messages": user({"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AA=="}})},
        "messages[0].content[0].source",
    ),
    "a picture in a file": (
        {"messages": user({"type": "image", "source": {"type": "file", "file_id": "f"}})},
        "messages[0].content[0].source",
    ),
    "a failed tool": ({"messages": user(RESULT | {"is_error": True})}, "messages[0].content[0].is_error"),
    "a picture from a tool": (
        {"messages": user(RESULT | {"content": [{"type": "image", "source": {}}]})},
        "messages[0].content[0].content[0]",
    ),
    "a result after words": ({"messages": user(TEXT, RESULT)}, "messages[0].content[1]"),
    "words after a call": (
        {"messages": [*USER, {"role": "assistant", "content": [USE, TEXT]}, *USER]},
        "messages[1].content[1]",
    ),
    "thoughts": (
        {"messages": [*USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}, *USER]},
        "messages[1].content[0]",
    ),
    "a call without an object": (
        {"messages": [*USER, {"role": "assistant", "content": [USE | {"input": [1]}]}, *USER]},
        "messages[1].content[0].input",
    ),
    "a prefill": ({"messages": [*USER, {"role": "assistant", "content": "A word:"}]}, "messages[1]"),
    "another role": ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
    "another field of a message": ({"messages": [USER[0] | {"name": "Ann"}]}, "messages[0].name"),
    "a message that is a text": ({"messages": ["x"]}, "messages[0]"),
    "a tool of the provider": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
    "a deferred tool": (
        {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]},
        "tools[0].defer_loading",
    ),
    "another choice": ({"tool_choice": {"type": "some"}}, "tool_choice"),
    "a choice in a word": ({"tool_choice": "auto"}, "tool_choice"),
    "a field of tomorrow": ({"mood": "sunny"}, "mood"),
}


@pytest.mark.parametrize(("asked", "problem"), UNSAID_IN_CHAT.values(), ids=UNSAID_IN_CHAT.keys())
def test_chat_completions_cannot_say_everything(asked: dict[str, Any], problem: str) -> None:
    """Nothing is dropped in silence: the very field is named."""
    with pytest.raises(Untranslatable) as bad:
        to_chat({"model": "m", "max_tokens": 9, "messages": USER} | asked)
    assert bad.value.problems == [problem]


def assistant(**more: Any) -> list[dict[str, Any]]:
    return [*USER, {"role": "assistant", "content": "x"} | more, *USER]


def called(**function: Any) -> list[dict[str, Any]]:
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"} | function}
    return assistant(tool_calls=[call])


UNSAID_IN_MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "several answers": ({"n": 2}, "n"),
    "seed": ({"seed": 7}, "seed"),
    "logprobs": ({"logprobs": True}, "logprobs"),
    "a response format": ({"response_format": {"type": "json_object"}}, "response_format"),
    "a penalty": ({"frequency_penalty": 0.5}, "frequency_penalty"),
    "effort": ({"reasoning_effort": "low"}, "reasoning_effort"),
    "metadata": ({"metadata": {"a": "b"}}, "metadata"),
    "a user": ({"user": "u"}, "user"),
    "too hot": ({"temperature": 1.5}, "temperature"),
    "two bounds": ({"max_tokens": 7}, "max_tokens"),
    "a name": ({"messages": [USER[0] | {"name": "Ann"}]}, "messages[0].name"),
    "a sound": ({"messages": user({"type": "input_audio", "input_audio": {}})}, "messages[0].content[0]"),
    "a file": ({"messages": user({"type": "file", "file": {}})}, "messages[0].content[0]"),
    "a coarse picture": (
        {"messages": user({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}})},
        "messages[0].content[0].image_url",
    ),
    "a picture of another kind": (
        {"messages": user({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AA=="}})},
        "messages[0].content[0].image_url",
    ),
    "a picture without an address": (
        {"messages": user({"type": "image_url", "image_url": "https://x/y.png"})},
        "messages[0].content[0].image_url",
    ),
    "a refusal": ({"messages": assistant(refusal="No.")}, "messages[1].refusal"),
    "an old call": ({"messages": assistant(function_call={"name": "f"})}, "messages[1].function_call"),
    "arguments that are no JSON": ({"messages": called(arguments="{")}, "messages[1].tool_calls[0].function.arguments"),
    "arguments that are a list": ({"messages": called(arguments="[]")}, "messages[1].tool_calls[0].function.arguments"),
    "arguments that would be rounded": (
        {"messages": called(arguments='{"n": 123456789012345678901234567890}')},
        "messages[1].tool_calls[0].function.arguments",
    ),
    "a call of another kind": (
        {"messages": assistant(tool_calls=[{"id": "t", "type": "custom", "custom": {}}])},
        "messages[1].tool_calls[0]",
    ),
    "a prefill": ({"messages": [*USER, {"role": "assistant", "content": "A word:"}]}, "messages[1]"),
    "an old result": ({"messages": [*USER, {"role": "function", "name": "f", "content": "x"}]}, "messages[1].name"),
    "a tool of another kind": ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0]"),
    "some allowed tools": ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
    "a field of tomorrow": ({"mood": "sunny"}, "mood"),
}


@pytest.mark.parametrize(("asked", "problem"), UNSAID_IN_MESSAGES.values(), ids=UNSAID_IN_MESSAGES.keys())
def test_the_messages_api_cannot_say_everything(asked: dict[str, Any], problem: str) -> None:
    """Nothing is dropped in silence: the very field is named."""
    with pytest.raises(Untranslatable) as bad:
        to_messages({"model": "m", "max_completion_tokens": 9, "messages": USER} | asked)
    assert bad.value.problems[0] == problem


def test_everything_that_cannot_be_said_is_told_at_once() -> None:
    """Nobody mends a line five times."""
    with pytest.raises(Untranslatable) as bad:
        to_chat({"messages": block(cache_control={}), "tools": [{"type": "bash_20250124"}], "top_k": 3, "thinking": {}})
    assert bad.value.problems == ["messages[0].content[0].cache_control", "tools[0]", "top_k", "thinking"]
