"""The two APIs that are served, each as a row of what differs: how a request is checked and read, how answers and
errors are said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchrun.simulator.api_error import ApiError
from batchrun.simulator.chat_checks import check_chat, check_chat_headers, check_chat_model, check_stream_options
from batchrun.simulator.chat_error import chat_error_body
from batchrun.simulator.chat_request import messages_request
from batchrun.simulator.checks import check_headers, check_message, check_model
from batchrun.simulator.limit_headers import LimitHeaders, chat_limit_headers, messages_limit_headers
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.script import Script, Wording, json_script
from batchrun.simulator.wordings import MESSAGES, chat_wording

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. `request` gives the Messages request that asks for the same as a body which has passed `check`."""

    name: str
    check_headers: Callable[[Mapping[str, str]], ApiError | None]
    check: Callable[[object, Mapping[str, str], Scenario], ApiError | None]
    check_model: Callable[[str], ApiError | None]
    request: Callable[[Body], Body]
    wording: Callable[[Body, Scenario], Wording]
    error_body: Callable[[ApiError, str], bytes]
    limit_headers: LimitHeaders

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"

    def refuse(self, error: ApiError, request_id: str, headers: dict[str, str] | None = None) -> Script:
        """An error response at once."""
        return json_script(error.status, self.error_body(error, request_id), request_id, headers)


def _check_message(body: object, headers: Mapping[str, str], _: Scenario) -> ApiError | None:
    return check_message(body, headers.get("anthropic-version", ""))


def _check_chat(body: object, _: Mapping[str, str], scenario: Scenario) -> ApiError | None:
    if error := check_chat(body):
        return error
    assert isinstance(body, dict)
    return check_stream_options(body, scenario.stream_options)


def _chat_wording(body: Body, scenario: Scenario) -> Wording:
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return chat_wording(with_usage=with_usage, with_space=scenario.data_space)


MESSAGES_API = Dialect(
    name="messages",
    check_headers=check_headers,
    check=_check_message,
    check_model=check_model,
    request=lambda body: body,
    wording=lambda body, scenario: MESSAGES,
    error_body=ApiError.body,
    limit_headers=messages_limit_headers,
)
CHAT_API = Dialect(
    name="chat",
    check_headers=check_chat_headers,
    check=_check_chat,
    check_model=check_chat_model,
    request=messages_request,
    wording=_chat_wording,
    error_body=chat_error_body,
    limit_headers=chat_limit_headers,
)
