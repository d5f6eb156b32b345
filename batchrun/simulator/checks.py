"""What the API refuses before a model sees it: credentials, fields, models. Pure: each check gives an error or None."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchrun.simulator.api_error import ApiError
from batchrun.simulator.models import is_known_model
from batchrun.simulator.request import server_tools_in

# From this version on the sampling parameters are gone.
_WITHOUT_SAMPLING = "2026-10-21"
_SAMPLING = ("temperature", "top_p", "top_k")
_ROLES = ("user", "assistant", "system")
# From this generation on an answer cannot be begun by the client.
_FIRST_WITHOUT_PREFILL = 5
_GENERATION = re.compile(r"-(\d+)(?:-|$)")

Kinds = Mapping[str, tuple[type | tuple[type, ...], str]]
# The fields that the answer is made from, and what each has to be; all others pass as they are.
_KINDS: Kinds = {
    "model": (str, "a string"),
    "stream": (bool, "true or false"),
    "stop_sequences": (list, "a list"),
    "tools": (list, "a list"),
    "tool_choice": (dict, "an object"),
    "thinking": (dict, "an object"),
}


def check_headers(headers: Mapping[str, str]) -> ApiError | None:
    """Credentials, and the version of the API. A key with `invalid` in it is refused."""
    key = key_in(headers)
    if not key:
        return ApiError(401, "No credential was sent: set x-api-key or Authorization: Bearer.")
    if "invalid" in key:
        return ApiError(401, "The credential is not valid.")
    if "anthropic-version" not in headers:
        return ApiError(400, "anthropic-version: header is required")
    return None


def key_in(headers: Mapping[str, str]) -> str:
    """The key, by whichever header it came; empty where none did."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else ""
    return key or headers.get("x-api-key", "")


def check_message(body: object, version: str) -> ApiError | None:
    """A body for `/v1/messages`; `version` is the anthropic-version that the client speaks."""
    if error := check_count(body):
        return error
    assert isinstance(body, dict)
    max_tokens = body.get("max_tokens")
    if max_tokens is None:
        return ApiError(400, "max_tokens: field required")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        return ApiError(400, "max_tokens: must be a whole number of 1 or more")
    if not all(isinstance(stop, str) for stop in body.get("stop_sequences") or ()):
        return ApiError(400, "stop_sequences: must be a list of strings")
    if _is_prefilled(body):
        return ApiError(400, "messages: this model begins its answers itself; the last message must be the user's")
    if version >= _WITHOUT_SAMPLING:
        for name in _SAMPLING:
            if name in body:
                return ApiError(400, f"{name}: not accepted since anthropic-version {_WITHOUT_SAMPLING}")
    return None


def check_count(body: object) -> ApiError | None:
    """A body for `/v1/messages/count_tokens`."""
    if error := check_body(body, _KINDS):
        return error
    assert isinstance(body, dict)
    error = check_messages(body["messages"], _ROLES, (str, list), "a string or a list of blocks")
    return error or _check_tools(body) or check_model(body["model"])


def check_body(body: object, kinds: Kinds) -> ApiError | None:
    """What holds on either wire: an object with a model and messages, whose fields are of these kinds."""
    if not isinstance(body, dict):
        return ApiError(400, "The request body is not a JSON object.")
    for name in ("model", "messages"):
        if body.get(name) is None:
            return ApiError(400, f"{name}: field required")
    for name, (kind, words) in kinds.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            return ApiError(400, f"{name}: must be {words}")
    return None


def _is_prefilled(body: dict[str, Any]) -> bool:
    """Whether the client begins the answer, to a model that does not take that; one that paused is sent back to it."""
    last, generation = body["messages"][-1], _GENERATION.search(body["model"])
    if last["role"] != "assistant" or generation is None or int(generation[1]) < _FIRST_WITHOUT_PREFILL:
        return False
    return not server_tools_in(last)


def check_model(model: str) -> ApiError | None:
    """A model that does not exist."""
    return None if is_known_model(model) else ApiError(404, f"model: {model}")


def check_messages(messages: object, roles: Sequence[str], contents: tuple[type, ...], words: str) -> ApiError | None:
    """At least one message, each of one of these roles and with content of one of these kinds, `words` by name."""
    if not isinstance(messages, list) or not messages:
        return ApiError(400, "messages: must be a list of at least one message")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in roles:
            return ApiError(400, f"messages.{index}.role: must be one of {', '.join(roles)}")
        if not isinstance(message.get("content"), contents):
            return ApiError(400, f"messages.{index}.content: must be {words}")
    return None


def _check_tools(body: dict[str, Any]) -> ApiError | None:
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            return ApiError(400, f"tools.{index}.name: field required")
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool") and not tools:
        return ApiError(400, "tool_choice: needs tools")
    if choice.get("type") == "tool" and choice.get("name") not in [tool["name"] for tool in tools]:
        return ApiError(400, f"tool_choice.name: no tool is called {choice.get('name')}")
    return None
