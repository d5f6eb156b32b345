"""The official SDK as the judge: for the same stream its final message and ours say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.provider import BackendConfig, Request
from batchrun.simulator.process import SimulatorProcess, start_simulator
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter

TOOL = {
    "name": "weigh",
    "description": "Weighs something.",
    "input_schema": {
        "type": "object",
        "properties": {
            "thing": {"type": "string"},
            "grams": {"type": "number"},
            "parts": {"type": "array", "items": {"type": "integer"}},
            "how": {"type": "object", "properties": {"exactly": {"type": "boolean"}, "unit": {"enum": ["g", "kg"]}}},
        },
    },
}
NO_INPUT = {"name": "stop", "description": "Stops.", "input_schema": {"type": "object", "properties": {}}}
THINKING = {"thinking": {"type": "adaptive"}}


def asking(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-5-5", "max_tokens": 500, "messages": [{"role": "user", "content": prompt}]} | fields


REQUESTS = {
    "text": asking("Say something about tea."),
    "other letters": asking("Sag etwas über Tee: 茶 🍵\u2028."),
    "one token": asking("Be short. [[tokens=1]]"),
    "nothing at all": asking("Say nothing. [[tokens=0]]"),
    "a long text": asking("Say a lot. [[tokens=3000]]", max_tokens=4000),
    "cut off": asking("Say a lot. [[tokens=100]]", max_tokens=20),
    "a stop sequence": asking("Say something.", stop_sequences=["request"]),
    "a refusal": asking("Do it. [[refuse]]"),
    "a pause": asking("Go on. [[stop=pause_turn]]"),
    "a reason of tomorrow": asking("Go on. [[stop=tired]]"),
    "thinking": asking("Think first.", **THINKING),
    "hidden thinking": asking("Think first.", thinking={"type": "adaptive", "display": "omitted"}),
    "a tool": asking("Weigh the tea.", tools=[TOOL], tool_choice={"type": "any"}),
    "a tool without input": asking("Stop.", tools=[NO_INPUT], tool_choice={"type": "tool", "name": "stop"}),
    "a cached system prompt": asking(
        "Hello.",
        system=[{"type": "text", "text": "You are brief. " * 50, "cache_control": {"type": "ephemeral"}}],
    ),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with start_simulator("instant") as process:
        yield process


def told(value: Any) -> Any:
    """Without what stands for nothing: the SDK's models spell out fields that the wire left out."""
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items() if inner is not None}
    return [told(inner) for inner in value] if isinstance(value, list) else value


async def ours(base_url: str, body: dict[str, Any], *, stream: bool = True) -> Message:
    provider = AnthropicProvider(BackendConfig(base_url=base_url, simulated=True), max_slots=2)
    try:
        return await attempt(provider, Request(body, stream), ClockLimits(), Meter(Account()))
    finally:
        await provider.close()


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_streamed_message_is_the_one_that_the_sdk_gives(name: str, simulator: SimulatorProcess) -> None:
    """Content, usage, stop reason, id and model, block by block and count by count."""
    body = REQUESTS[name]
    message = await ours(simulator.base_url, body)
    client = anthropic.AsyncAnthropic(api_key="any", base_url=simulator.base_url)
    async with client, client.messages.stream(**body) as streamed:
        theirs = told((await streamed.get_final_message()).to_dict())
    assert told(message.content) == theirs["content"]
    assert told(message.usage) == theirs["usage"]
    assert (message.stop_reason, message.id, message.model) == (theirs["stop_reason"], theirs["id"], theirs["model"])
    assert message.text == "".join(block["text"] for block in theirs["content"] if block["type"] == "text")


@pytest.mark.parametrize("name", REQUESTS)
async def test_without_streaming_the_message_is_the_same(name: str, simulator: SimulatorProcess) -> None:
    """How an answer came makes no difference to what it says."""
    streamed = await ours(simulator.base_url, REQUESTS[name])
    whole = await ours(simulator.base_url, REQUESTS[name], stream=False)
    assert told(whole.content) == told(streamed.content)
    assert told(whole.usage) == told(streamed.usage)
    assert (whole.stop_reason, whole.id, whole.flags) == (streamed.stop_reason, streamed.id, streamed.flags)


async def test_a_tools_input_that_was_cut_off_is_kept_as_text_and_not_guessed(simulator: SimulatorProcess) -> None:
    """Where the SDK guesses at the end of half an input, the half that came is kept as it is."""
    body = asking("Weigh the tea.", tools=[TOOL], tool_choice={"type": "any"}, max_tokens=3)
    message = await ours(simulator.base_url, body)
    [block] = message.content
    assert (message.stop_reason, block["type"], block["input"]) == ("max_tokens", "tool_use", {})
    assert block["partial_json"].startswith("{")
