"""The official SDK's error classes, raised by the simulator's answers."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, APIStatusError

from batchrun.simulator.process import SimulatorProcess
from tests.simulator.wire import body_of

CLASSES: list[tuple[int, type[APIStatusError], str]] = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (402, anthropic.PaymentRequiredError, "billing_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (408, anthropic.RequestTimeoutError, "invalid_request_error"),
    (409, anthropic.ConflictError, "conflict_error"),
    (413, anthropic.ContentTooLargeError, "request_too_large"),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (503, anthropic.ServiceUnavailableError, "api_error"),
    (504, anthropic.GatewayTimeoutError, "timeout_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
]


@pytest.mark.parametrize(("status", "error_class", "kind"), CLASSES)
def test_a_status_raises_its_class(sdk: Anthropic, status: int, error_class: type[APIStatusError], kind: str) -> None:
    """Streaming and not: the class, the type, the message and the request id of the body and of the header."""
    body = body_of(f"Please [[error={status}]]")
    with pytest.raises(error_class) as created:
        sdk.messages.create(**body)
    with pytest.raises(error_class) as streamed, sdk.messages.stream(**body):
        pass
    for error in (created.value, streamed.value):
        assert (error.status_code, error.type) == (status, kind)
        assert error.api_message
        assert isinstance(error.body, dict)
        assert error.body["request_id"] == error.request_id


def test_a_rate_limit_says_when_to_come_back(sdk: Anthropic) -> None:
    """retry-after, and the limits with the exhausted one."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        sdk.messages.create(**body_of("[[error=429]]"))
    headers = caught.value.response.headers
    assert headers["retry-after"] == "1"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert int(headers["anthropic-ratelimit-output-tokens-remaining"]) > 0


def test_the_sdk_retries_what_the_simulator_lets_pass(simulator: SimulatorProcess) -> None:
    """`[[error=529*1]]` fails once: the SDK's own retry gets the answer."""
    with Anthropic(api_key="k", base_url=simulator.base_url, max_retries=1, timeout=10) as client:
        assert client.messages.create(**body_of("Once [[error=529*1]]")).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("fields", "error_class", "words"),
    [
        ({"model": "claude-unknown-9"}, anthropic.NotFoundError, "model: claude-unknown-9"),
        ({"model": "gpt-4"}, anthropic.NotFoundError, "model: gpt-4"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens: must be"),
        ({"messages": []}, anthropic.BadRequestError, "messages: must be"),
        ({"messages": [{"role": "robot", "content": "x"}]}, anthropic.BadRequestError, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, anthropic.BadRequestError, "messages.0.content"),
        ({"tools": [{}]}, anthropic.BadRequestError, "tools.0.name"),
        ({"tool_choice": {"type": "any"}}, anthropic.BadRequestError, "tool_choice: needs tools"),
        ({"extra_body": {"temperature": 0.5}}, anthropic.BadRequestError, "temperature: not accepted"),
        ({"extra_body": {"stop_sequences": [1]}}, anthropic.BadRequestError, "stop_sequences: must be"),
        ({"extra_body": {"thinking": True}}, anthropic.BadRequestError, "thinking: must be an object"),
    ],
)
def test_a_bad_request_is_told_its_field(
    sdk: Anthropic, fields: dict[str, Any], error_class: type[APIStatusError], words: str
) -> None:
    """The message begins with the field at fault."""
    with pytest.raises(error_class) as caught:
        sdk.messages.create(**{**body_of("Hello"), **fields})
    assert words in str(caught.value.api_message)


def test_sampling_passes_on_the_older_version_of_the_api(sdk: Anthropic) -> None:
    """As with the real API, older models still take it there."""
    old = {"anthropic-version": "2023-06-01"}
    sdk.messages.create(**body_of("Hello"), extra_body={"temperature": 0.5}, extra_headers=old)


def test_an_invalid_key_is_refused(simulator: SimulatorProcess) -> None:
    """Any key with `invalid` in it."""
    with (
        Anthropic(api_key="sk-invalid", base_url=simulator.base_url, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(**body_of("Hello"))
    with (
        Anthropic(api_key="sk-invalid", base_url=simulator.base_url, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.models.retrieve("claude-haiku-5-5")


def test_an_unknown_model_is_not_found(sdk: Anthropic) -> None:
    """One GET finds a typo before the night."""
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("claude-unknown")


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_drop_breaks_the_stream(sdk: Anthropic, fault: str) -> None:
    """In mid-stream the SDK lets its transport's errors through."""
    with pytest.raises(httpx2.TransportError), sdk.messages.stream(**body_of(f"[[fault={fault}]]")) as stream:
        stream.get_final_message()


@pytest.mark.parametrize("fault", ["reset", "cut", "truncated"])
def test_a_drop_breaks_a_whole_message(sdk: Anthropic, fault: str) -> None:
    """Without streaming it is a connection error."""
    with pytest.raises(anthropic.APIConnectionError):
        sdk.messages.create(**body_of(f"[[fault={fault}]]"))


def test_a_truncated_stream_raises_nothing(sdk: Anthropic) -> None:
    """The trap: the SDK hands out a message without a stop reason."""
    with sdk.messages.stream(**body_of("Hello there [[fault=truncated]]")) as stream:
        assert stream.get_final_message().stop_reason is None


@pytest.mark.parametrize("streamed", [True, False])
def test_a_silence_lasts_until_the_client_gives_up(simulator: SimulatorProcess, *, streamed: bool) -> None:
    """Only a timeout of the client ends it."""
    body = body_of("[[fault=silence]]")
    with Anthropic(api_key="k", base_url=simulator.base_url, max_retries=0, timeout=0.2) as client:
        if streamed:
            with pytest.raises(httpx2.ReadTimeout), client.messages.stream(**body) as stream:
                stream.get_final_message()
        else:
            with pytest.raises(anthropic.APITimeoutError):
                client.messages.create(**body)
