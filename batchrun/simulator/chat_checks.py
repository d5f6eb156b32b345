"""What a chat completions server refuses before a model sees it. Pure: each check gives an error or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchrun.simulator.api_error import ApiError
from batchrun.simulator.checks import Kinds, check_body, check_messages, key_in
from batchrun.simulator.models import is_unknown

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_CONTENTS = (str, list, type(None))
_LIMITS = ("max_tokens", "max_completion_tokens")

# The fields that the answer is made from, and what each has to be; all others pass as they are.
_KINDS: Kinds = {
    "model": (str, "a string"),
    "stream": (bool, "true or false"),
    "stream_options": (dict, "an object"),
    "stop": ((str, list), "a string or a list"),
    "tools": (list, "a list"),
    "tool_choice": ((str, dict), "a string or an object"),
    "thinking": (dict, "an object"),
}


def check_chat_headers(headers: Mapping[str, str]) -> ApiError | None:
    """No key is needed, as with a local server; one with `invalid` in it is refused."""
    return ApiError(401, "Incorrect API key provided.") if "invalid" in key_in(headers) else None


def check_chat(body: object) -> ApiError | None:
    """A body for `/v1/chat/completions`."""
    if error := check_body(body, _KINDS):
        return error
    assert isinstance(body, dict)
    error = check_messages(body["messages"], _ROLES, _CONTENTS, "a string, a list of parts or null")
    return error or _check_fields(body) or _check_tools(body) or check_chat_model(body["model"])


def check_stream_options(body: dict[str, Any], are_taken: bool) -> ApiError | None:
    """What is to come with a stream; `are_taken` False: as a server that never heard of it."""
    if body.get("stream_options") is None:
        return None
    if not are_taken:
        return ApiError(400, "stream_options: extra fields are not permitted")
    return None if body.get("stream") else ApiError(400, "stream_options: only allowed when stream is true")


def _check_fields(body: dict[str, Any]) -> ApiError | None:
    for name in _LIMITS:
        limit = body.get(name)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            return ApiError(400, f"{name}: must be a whole number of 1 or more")
    stop = body.get("stop")
    if isinstance(stop, list) and not all(isinstance(word, str) for word in stop):
        return ApiError(400, "stop: must be a list of strings")
    if body.get("n") not in (None, 1):
        return ApiError(400, "n: only 1 is simulated")
    return None


def _check_tools(body: dict[str, Any]) -> ApiError | None:
    names = []
    for index, tool in enumerate(body.get("tools") or []):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return ApiError(400, f"tools.{index}.function.name: field required")
        names.append(function["name"])
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            return ApiError(400, "tool_choice: must be auto, none, required or an object")
        return ApiError(400, "tool_choice: needs tools") if choice == "required" and not names else None
    function = choice.get("function")
    if not isinstance(function, dict) or function.get("name") not in names:
        return ApiError(400, "tool_choice.function.name: no tool is called so")
    return None


def check_chat_model(model: str) -> ApiError | None:
    """A model that does not exist."""
    return ApiError(404, f"model: the model {model} does not exist") if is_unknown(model) else None
