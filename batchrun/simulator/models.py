"""The models that the simulator claims to serve. Pure.

The facts are made up: only their shape, and that one model is about to be retired, can be relied on.
"""

from __future__ import annotations

from typing import Any

_LISTED = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-2",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
)

_RETIRES_AT = {"claude-sonnet-4-5": "2026-11-30T00:00:00Z", "claude-sonnet-4-5-20250929": "2026-11-30T00:00:00Z"}
_DEPRECATED_AT = "2026-06-01T00:00:00Z"
# The API itself gives the epoch where a release date is not known.
_CREATED_AT = "1970-01-01T00:00:00Z"

_MAX_INPUT_TOKENS = 200_000
_MAX_TOKENS = 64_000


def is_known_model(model: str) -> bool:
    """Any id that begins with `claude-` and does not contain `unknown`, so that new models need no change here."""
    return model.startswith("claude-") and not is_unknown(model)


def is_unknown(model: str) -> bool:
    """Any id that says so itself; a chat completions server has all others, for models there go by any name."""
    return "unknown" in model


def model_facts(model: str) -> dict[str, Any]:
    """What `/v1/models/{id}` tells of a known model."""
    family = model.split("-")[1]
    retires_at = _RETIRES_AT.get(model)
    return {
        "id": model,
        "type": "model",
        "display_name": " ".join(word.capitalize() for word in model.split("-")),
        "line": family if family in ("haiku", "sonnet", "opus", "fable", "mythos") else None,
        "created_at": _CREATED_AT,
        "lifecycle": "deprecated" if retires_at else "active",
        "deprecated_at": _DEPRECATED_AT if retires_at else None,
        "retires_at": retires_at,
        "max_input_tokens": _MAX_INPUT_TOKENS,
        "max_tokens": _MAX_TOKENS,
        "capabilities": None,
    }


def model_page() -> dict[str, Any]:
    """What `/v1/models` tells: all of them on one page."""
    return {
        "data": [model_facts(model) for model in _LISTED],
        "has_more": False,
        "first_id": _LISTED[0],
        "last_id": _LISTED[-1],
    }


def chat_model_facts(model: str) -> dict[str, Any]:
    """What `/v1/models/{id}` tells a client of chat completions."""
    return {"id": model, "object": "model", "created": 0, "owned_by": "simulator"}


def chat_model_list() -> dict[str, Any]:
    """What `/v1/models` tells such a client."""
    return {"object": "list", "data": [chat_model_facts(model) for model in _LISTED]}
