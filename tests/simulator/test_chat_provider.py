"""batchrun's own provider of chat completions against the simulator: one attempt over each wire, faults included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.providers.anthropic import AnthropicProvider
from batchrun.providers.openai_chat import OpenAIChatProvider
from batchrun.providers.provider import BackendConfig, Provider, Request
from batchrun.simulator.answers import answer_for
from batchrun.simulator.process import SimulatorProcess, start_simulator
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from tests.simulator.chat import FORCED, answer_to, chat_body
from tests.simulator.test_answers import TOOL
from tests.simulator.wire import body_of

LIMITS = ClockLimits(first_byte=0.5, idle=0.3)


@asynccontextmanager
async def chat_at(simulator: SimulatorProcess, **backend: Any) -> AsyncIterator[OpenAIChatProvider]:
    config = BackendConfig("local", "openai", f"{simulator.base_url}/v1", **backend)
    provider = OpenAIChatProvider(config, max_slots=20)
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture
async def chat(simulator: SimulatorProcess) -> AsyncIterator[OpenAIChatProvider]:
    async with chat_at(simulator) as provider:
        yield provider


@asynccontextmanager
async def messages_at(simulator: SimulatorProcess) -> AsyncIterator[AnthropicProvider]:
    provider = AnthropicProvider(BackendConfig(base_url=simulator.base_url, simulated=True), max_slots=20)
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture
async def messages(simulator: SimulatorProcess) -> AsyncIterator[AnthropicProvider]:
    async with messages_at(simulator) as provider:
        yield provider


async def ask(provider: Provider, body: dict[str, Any], *, streamed: bool = True) -> Message | Failure:
    try:
        return await attempt(provider, Request(body, streamed), LIMITS, Meter(Account()))
    except AttemptFailed as failed:
        return failed.failure


async def answers(provider: Provider, bodies: list[dict[str, Any]]) -> list[Message]:
    """To all of them, twenty at a time, each asked until it is answered."""
    places = asyncio.Semaphore(20)

    async def until_answered(body: dict[str, Any]) -> Message:
        for _ in range(20):
            async with places:
                told = await ask(provider, body)
            if isinstance(told, Message):
                return told
        raise AssertionError(told)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(until_answered(body)) for body in bodies]
    return [task.result() for task in tasks]


def told_by(message: Message) -> tuple[str, list[Any], str, str, int, int, tuple[str, ...]]:
    """What must not depend on the wire."""
    content = [{name: block[name] for name in block if name != "signature"} for block in message.content]
    counts = message.usage["input_tokens"], message.output_tokens
    return message.text, content, message.stop_reason, message.model, *counts, message.flags


async def test_the_same_items_have_the_same_answers_on_both_wires(tmp_path: Path) -> None:
    """Text, content, stop reason, model, counts and flags, while every tenth request fails and is asked again."""
    scenario, log = tmp_path / "night.toml", tmp_path / "requests.jsonl"
    rates = "rate_429 = 0.03\nrate_529 = 0.02\nrate_500 = 0.01\nrate_drop = 0.04\n"
    scenario.write_text(f"ttft = 0\ntokens_per_second = 0\n{rates}", encoding="utf-8")
    prompts = [f"Item {number}" for number in range(100)]
    asked = [body_of(prompt, system="Be short.") for prompt in prompts]
    system = {"role": "system", "content": "Be short."}
    chats = [chat_body("", messages=[system, {"role": "user", "content": prompt}]) for prompt in prompts]
    with start_simulator(str(scenario), seed=3, log=log) as night:
        async with chat_at(night) as chat, messages_at(night) as messages:
            ours, theirs = await answers(chat, chats), await answers(messages, asked)
    assert [told_by(message) for message in ours] == [told_by(message) for message in theirs]
    assert [message.text for message in ours] == [answer_for(body).text for body in asked]
    faults = [orjson.loads(line)["fault"] for line in log.read_bytes().splitlines() if b'"request"' in line]
    assert 10 < len([fault for fault in faults if fault != "none"]) < 40


PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a tool": (
        chat_body(
            "Report",
            tools=[{"type": "function", "function": {"name": TOOL["name"], "parameters": TOOL["input_schema"]}}],
            tool_choice="required",
        ),
        body_of("Report", tools=[TOOL], tool_choice={"type": "any"}),
    ),
    "thinking": (chat_body("Think", reasoning_effort="high"), body_of("Think", thinking={"type": "adaptive"})),
    "a refusal": (chat_body("Do it [[refuse]]"), body_of("Do it [[refuse]]")),
    "an empty answer": (chat_body("[[tokens=0]]"), body_of("[[tokens=0]]")),
    "a limit": (chat_body("Hello", max_tokens=5), body_of("Hello", max_tokens=5)),
    "a reason of tomorrow": (
        chat_body("Hello [[stop=reason_of_tomorrow]]"),
        body_of("Hello [[stop=reason_of_tomorrow]]"),
    ),
}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("case", PAIRS)
async def test_every_kind_of_answer_says_the_same_on_both_wires(
    case: str, chat: OpenAIChatProvider, messages: AnthropicProvider, *, streamed: bool
) -> None:
    """Calls, thinking, refusals, limits; streaming and not."""
    chat_asked, messages_asked = PAIRS[case]
    ours = await ask(chat, chat_asked, streamed=streamed)
    theirs = await ask(messages, messages_asked, streamed=streamed)
    assert isinstance(ours, Message)
    assert isinstance(theirs, Message)
    assert told_by(ours) == told_by(theirs)


@pytest.mark.parametrize(
    ("prompt", "cause"),
    [
        ("[[fault=reset]]", Cause.BROKEN),
        ("[[fault=cut]]", Cause.BROKEN),
        ("[[fault=truncated]]", Cause.TRUNCATED),
        ("[[fault=silence]]", Cause.SILENT),
        ("[[error=400]]", Cause.BAD_REQUEST),
        ("[[error=401]]", Cause.CREDENTIALS),
        ("[[error=404]]", Cause.UNKNOWN_MODEL),
        ("[[error=413]]", Cause.TOO_LARGE),
        ("[[error=429]]", Cause.RATE_LIMITED),
        ("[[error=500]]", Cause.SERVER_ERROR),
        ("[[error=529]]", Cause.OVERLOADED),
    ],
)
async def test_a_fault_ends_an_attempt_as_on_the_other_wire(
    prompt: str, cause: Cause, chat: OpenAIChatProvider, messages: AnthropicProvider
) -> None:
    """The same cause, status and wait."""
    ours, theirs = await ask(chat, chat_body(prompt)), await ask(messages, body_of(prompt))
    assert isinstance(ours, Failure)
    assert isinstance(theirs, Failure)
    assert (ours.cause, ours.status, ours.retry_after) == (cause, theirs.status, theirs.retry_after)
    assert theirs.cause is cause
    assert ours.status is None or str(ours.request_id).startswith("req_")


async def test_a_server_of_other_ways_is_understood() -> None:
    """Without the space, and without `stream_options`: the usage is then an estimate that says so."""
    with start_simulator("instant", extra=["--no-data-space", "--no-stream-options"]) as other:
        async with chat_at(other) as provider:
            body = chat_body("Hello")
            told = [await ask(provider, body) for _ in range(2)]
    for message in told:
        assert isinstance(message, Message)
        assert (message.text, message.flags) == (answer_to(body).text, ("usage_estimated",))
        assert 0 < message.output_tokens < 2 * answer_to(body).output_tokens


async def test_a_key_is_refused_and_a_model_is_not_known(
    simulator: SimulatorProcess, chat: OpenAIChatProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stops a run, and what leaves a model's items pending."""
    monkeypatch.setenv("CHAT_KEY", "sk-invalid-canary")
    async with chat_at(simulator, key_env="CHAT_KEY") as provider:
        refused = await ask(provider, chat_body("Hello"))
    unknown = await ask(chat, chat_body("Hello", model="unknown"))
    assert isinstance(refused, Failure)
    assert isinstance(unknown, Failure)
    assert (refused.cause, unknown.cause) == (Cause.CREDENTIALS, Cause.UNKNOWN_MODEL)
    assert "canary" not in repr(refused)


async def test_any_model_is_known_by_its_name(chat: OpenAIChatProvider) -> None:
    """As with a local server."""
    told = await ask(chat, chat_body("Hello", model="llama3.2:1b", **FORCED))
    assert isinstance(told, Message)
    assert (told.model, told.stop_reason) == ("llama3.2:1b", "tool_use")
