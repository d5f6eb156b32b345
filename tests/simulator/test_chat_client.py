"""The official client of chat completions against the simulator: what it gets is what the pure functions say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from batchrun.simulator.answers import SimulatedAnswer
from batchrun.simulator.process import SimulatorProcess
from tests.simulator.chat import FORCED, answer_to, chat_body

PROMPTS = ["What is a harbour?", "日本の茶道を説明して 🍵 — “bitte”", 'Say "no"\\\n\tplease', "[[tokens=0]]", ""]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def client(simulator: SimulatorProcess) -> Iterator[OpenAI]:
    """Retries off."""
    with OpenAI(api_key="any", base_url=f"{simulator.base_url}/v1", max_retries=0, timeout=10) as made:
        yield made


@pytest.fixture
async def async_client(simulator: SimulatorProcess) -> AsyncIterator[AsyncOpenAI]:
    """Retries off."""
    async with AsyncOpenAI(api_key="any", base_url=f"{simulator.base_url}/v1", max_retries=0, timeout=10) as made:
        yield made


def streamed(client: OpenAI, body: dict[str, Any]) -> list[ChatCompletionChunk]:
    """The chunks of a stream whose usage was asked for."""
    stream: Any = client.chat.completions.create(**{**body, **STREAMED})
    return list(stream)


def check(completion: ChatCompletion, answer: SimulatedAnswer) -> None:
    """A completion of the client says what the answer says."""
    [choice] = completion.choices
    message = choice.message
    assert (message.content or "") + (message.refusal or "") == answer.text
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]  # type: ignore[union-attr]  # no custom tools here
    tool = answer.tool
    assert calls == ([(tool.id, tool.name, "".join(tool.arguments))] if tool else [])
    assert completion.usage is not None
    assert completion.usage.completion_tokens == answer.output_tokens
    assert completion.usage.prompt_tokens == answer.input_tokens
    assert (completion.model, completion.id) == (answer.model, f"chatcmpl-{answer.request}")


def check_stream(chunks: list[ChatCompletionChunk], answer: SimulatedAnswer) -> None:
    """So do the chunks of a stream."""
    *deltas, last = chunks
    texts = [choice.delta.content or choice.delta.refusal for chunk in deltas for choice in chunk.choices]
    assert tuple(text for text in texts if text) == answer.tokens
    assert [choice.finish_reason for choice in deltas[-1].choices] != [None]
    assert (last.choices, last.usage and last.usage.completion_tokens) == ([], answer.output_tokens)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_create_and_stream_give_the_answer(client: OpenAI, prompt: str) -> None:
    """Streaming and not, the text is that of `answer_for`, and the deltas are its tokens."""
    body = chat_body(prompt)
    check(client.chat.completions.create(**body), answer_to(body))
    check_stream(streamed(client, body), answer_to(body))


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_asynchronous_client_gets_the_same(async_client: AsyncOpenAI, prompt: str) -> None:
    """As the synchronous one."""
    body = chat_body(prompt)
    check(await async_client.chat.completions.create(**body), answer_to(body))
    stream: Any = await async_client.chat.completions.create(**{**body, **STREAMED})
    check_stream([chunk async for chunk in stream], answer_to(body))


@pytest.mark.parametrize(
    "fields",
    [
        FORCED,
        {"tools": FORCED["tools"], "tool_choice": "required"},
        {"tools": FORCED["tools"]},
        {"reasoning_effort": "low"},
        {"stop": ["the"]},
        {"max_tokens": 7},
        {"max_tokens": openai.omit, "max_completion_tokens": 7},
        {"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Do it [[refuse]]"}]},
    ],
    ids=["tool", "required", "auto", "reasoning", "stop", "max_tokens", "max_completion_tokens", "refusal"],
)
def test_calls_and_stops_reach_the_client(client: OpenAI, fields: dict[str, Any]) -> None:
    """Tool calls, refusals, reasoning, limits; streaming and not."""
    body = chat_body("Report on the harbour", **fields)
    answer = answer_to({name: value for name, value in body.items() if value is not openai.omit})
    check(client.chat.completions.create(**body), answer)
    check_stream(streamed(client, body), answer)


def test_the_clients_own_helper_puts_a_stream_together(client: OpenAI) -> None:
    """It is stricter than we are about indices and deltas."""
    body = chat_body("Report on the harbour", **FORCED)
    with client.chat.completions.stream(**body) as stream:
        [choice] = stream.get_final_completion().choices
    answer = answer_to(body)
    assert answer.tool is not None
    assert choice.message.tool_calls is not None
    assert json.loads(choice.message.tool_calls[0].function.arguments) == answer.tool.input


def test_the_usage_comes_only_where_it_was_asked_for(client: OpenAI) -> None:
    """As with the API itself."""
    chunks = list(client.chat.completions.create(**chat_body("Hello"), stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_models_are_told_in_the_shape_of_the_client(client: OpenAI) -> None:
    """The list, and any that is asked for but an unknown one."""
    assert "claude-haiku-5-5" in [model.id for model in client.models.list()]
    assert client.models.retrieve("llama3.2").owned_by == "simulator"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("an-unknown-model")


# -- errors -----------------------------------------------------------------------------------------------------------

CLASSES: list[tuple[int, type[APIStatusError]]] = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.mark.parametrize(("status", "error_class"), CLASSES)
def test_a_status_raises_its_class(client: OpenAI, status: int, error_class: type[APIStatusError]) -> None:
    """Streaming and not: the class, the message, the type and the request id."""
    body = chat_body(f"Please [[error={status}]]")
    for is_stream in (False, True):
        with pytest.raises(error_class) as caught:
            client.chat.completions.create(**body, stream=is_stream)
        error = caught.value
        assert (error.status_code, bool(error.message), bool(error.type)) == (status, True, True)
        assert str(error.request_id).startswith("req_")


def test_a_rate_limit_says_when_to_come_back(client: OpenAI) -> None:
    """retry-after, and the reset as a duration."""
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**chat_body("[[error=429]]"))
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["x-ratelimit-reset-requests"]) == ("1", "1s")
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")


def test_the_client_retries_what_the_simulator_lets_pass(simulator: SimulatorProcess) -> None:
    """`[[error=500*1]]` fails once: the client's own retry gets the answer."""
    with OpenAI(api_key="any", base_url=f"{simulator.base_url}/v1", max_retries=1, timeout=10) as client:
        assert client.chat.completions.create(**chat_body("Once [[error=500*1]]")).choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "error_class", "param"),
    [
        ({"model": "an-unknown-model"}, openai.NotFoundError, "model"),
        ({"max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, openai.BadRequestError, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, openai.BadRequestError, "messages.0.content"),
        ({"tools": [{}]}, openai.BadRequestError, "tools.0.function.name"),
        ({"tool_choice": "required"}, openai.BadRequestError, "tool_choice"),
        ({"tool_choice": "maybe"}, openai.BadRequestError, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, openai.BadRequestError, "tool_choice.function.name"),
        ({"stop": [1]}, openai.BadRequestError, "stop"),
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "stream_options"),
        ({"extra_body": {"thinking": 7}}, openai.BadRequestError, "thinking"),
        ({"extra_body": {"messages": None}}, openai.BadRequestError, "messages"),
    ],
)
def test_a_bad_request_is_told_its_field(
    client: OpenAI, fields: dict[str, Any], error_class: type[APIStatusError], param: str
) -> None:
    """`param` names the field at fault."""
    with pytest.raises(error_class) as caught:
        client.chat.completions.create(**{**chat_body("Hello"), **fields})
    assert caught.value.param == param


def test_any_key_passes_but_an_invalid_one(simulator: SimulatorProcess) -> None:
    """A local server needs none; one with `invalid` in it is refused."""
    with (
        OpenAI(api_key="sk-invalid", base_url=f"{simulator.base_url}/v1", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(**chat_body("Hello"))
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_drop_breaks_the_stream(client: OpenAI, fault: str) -> None:
    """In mid-stream it is an error of the connection."""
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        list(client.chat.completions.create(**chat_body(f"[[fault={fault}]]"), stream=True))


def test_a_truncated_stream_raises_nothing(client: OpenAI) -> None:
    """The trap: the client hands out what came, and nothing says that it is not all."""
    chunks = list(client.chat.completions.create(**chat_body("Hello there [[fault=truncated]]"), stream=True))
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == []
