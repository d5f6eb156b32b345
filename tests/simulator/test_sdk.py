"""The official SDK against the simulator: what it gets is what the pure functions say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolUseBlock

from batchrun.simulator.answers import SimulatedAnswer, answer_for
from tests.simulator.test_answers import TOOL
from tests.simulator.wire import body_of

PROMPTS = ["What is a harbour?", "日本の茶道を説明して 🍵 — “bitte”", 'Say "no"\\\n\tplease', "[[tokens=0]]", ""]


def check(message: Message, answer: SimulatedAnswer) -> None:
    """A message of the SDK says what the answer says."""
    blocks = list(message.content)
    if answer.thinking is not None:
        thinking = blocks.pop(0)
        assert isinstance(thinking, ThinkingBlock)
        assert (thinking.thinking, thinking.signature) == ("".join(answer.thinking.tokens), answer.thinking.signature)
    if answer.text:
        text = blocks.pop(0)
        assert isinstance(text, TextBlock)
        assert text.text == answer.text
    if answer.tool is not None:
        tool = blocks.pop(0)
        assert isinstance(tool, ToolUseBlock)
        assert (tool.id, tool.name, tool.input) == (answer.tool.id, answer.tool.name, answer.tool.input)
    assert not blocks
    assert (message.id, message.model, message.role) == (answer.message_id, answer.model, "assistant")
    assert (message.stop_reason, message.stop_sequence) == (answer.stop_reason, answer.stop_sequence)
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (answer.input_tokens, answer.output_tokens)
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_create_and_stream_give_the_answer(sdk: Anthropic, prompt: str) -> None:
    """Streaming and not, the whole message is that of `answer_for`, and the text deltas are its tokens."""
    body = body_of(prompt)
    answer = answer_for(body)
    check(sdk.messages.create(**body), answer)
    with sdk.messages.stream(**body) as stream:
        assert tuple(stream.text_stream) == answer.tokens
        check(stream.get_final_message(), answer)


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_asynchronous_client_gets_the_same(async_sdk: AsyncAnthropic, prompt: str) -> None:
    """As the synchronous one."""
    body = body_of(prompt)
    answer = answer_for(body)
    check(await async_sdk.messages.create(**body), answer)
    async with async_sdk.messages.stream(**body) as stream:
        assert [text async for text in stream.text_stream] == list(answer.tokens)
        check(await stream.get_final_message(), answer)


async def test_many_at_once_are_not_mixed_up(async_sdk: AsyncAnthropic) -> None:
    """Forty streams on as many connections: each gets its own text."""
    bodies = [body_of(f"Item {number}") for number in range(40)]

    async def text_of(body: dict[str, Any]) -> str:
        async with async_sdk.messages.stream(**body) as stream:
            return await stream.get_final_text()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(text_of(body)) for body in bodies]
    assert [task.result() for task in tasks] == [answer_for(body).text for body in bodies]


def test_raw_events_come_in_the_order_of_the_api(sdk: Anthropic) -> None:
    """`create(stream=True)` yields typed events; the SDK swallows pings."""
    with sdk.messages.create(**body_of("Hello [[tokens=3]]"), stream=True) as stream:
        types = [event.type for event in stream]
    deltas = ["content_block_delta"] * 3
    assert types == [
        *("message_start", "content_block_start"),
        *deltas,
        *("content_block_stop", "message_delta", "message_stop"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "file_report"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "any"}},
        {"stop_sequences": ["the"]},
        {"max_tokens": 7},
        {"system": [{"type": "text", "text": "Be short."}], "metadata": {"user_id": "7"}},
    ],
    ids=["any", "tool", "thinking", "omitted", "thinking+tool", "stop", "max_tokens", "system"],
)
def test_blocks_and_stops_reach_the_client(sdk: Anthropic, fields: dict[str, Any]) -> None:
    """Tool calls from partial JSON, thinking with its signature, stop reasons; streaming and not."""
    body = body_of("Report on the harbour", **fields)
    answer = answer_for(body)
    check(sdk.messages.create(**body), answer)
    with sdk.messages.stream(**body) as stream:
        check(stream.get_final_message(), answer)


def test_a_refusal_has_its_details(sdk: Anthropic) -> None:
    """stop_reason and stop_details, streaming and not."""
    body = body_of("Do it [[refuse]]")
    with sdk.messages.stream(**body) as stream:
        streamed = stream.get_final_message()
    for message in (streamed, sdk.messages.create(**body)):
        assert message.stop_reason == "refusal"
        assert message.stop_details is not None
        assert message.stop_details.type == "refusal"


def test_tokens_are_counted(sdk: Anthropic) -> None:
    """count_tokens says what the answer's usage will say."""
    body = body_of("How long is this?", system="Be short.")
    counted = sdk.messages.count_tokens(model=body["model"], messages=body["messages"], system="Be short.")
    assert counted.input_tokens == answer_for(body).input_tokens


def test_models_are_told(sdk: Anthropic) -> None:
    """The list, one of it, and the one that is about to be retired."""
    models = list(sdk.models.list())
    assert "claude-haiku-5-5" in [model.id for model in models]
    haiku = sdk.models.retrieve("claude-haiku-5-5")
    assert (haiku.lifecycle, haiku.line, haiku.display_name) == ("active", "haiku", "Claude Haiku 5 5")
    old = sdk.models.retrieve("claude-sonnet-4-5")
    assert old.lifecycle == "deprecated"
    assert old.retires_at is not None


def test_every_response_has_a_request_id_of_its_own(sdk: Anthropic) -> None:
    """It stands in a header."""
    ids = {sdk.messages.with_raw_response.create(**body_of("Hello")).headers["request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(request_id.startswith("req_") for request_id in ids)
