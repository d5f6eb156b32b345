"""What the formats have in common: a result as those read it who know only one provider's words. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from batchrun.failure import Cause
from batchrun.outcome import Status
from batchrun.stream.usage import told_tokens

# The Messages API's word for each cause; what is none of its own is an error on the way to it.
_ERROR_TYPES = {
    Cause.RATE_LIMITED: "rate_limit_error",
    Cause.OVERLOADED: "overloaded_error",
    Cause.FIRST_BYTE: "timeout_error",
    Cause.SILENT: "timeout_error",
    Cause.STALLED: "timeout_error",
    Cause.TOO_LONG: "timeout_error",
    Cause.BAD_REQUEST: "invalid_request_error",
    Cause.TOO_LARGE: "invalid_request_error",
    Cause.CREDENTIALS: "authentication_error",
    Cause.UNKNOWN_MODEL: "not_found_error",
    Cause.QUOTA: "billing_error",
}
STOP_RULE = "stop_rule:"  # how the stop reason of an answer begins that a rule of the user's ended


def has_answer(result: dict[str, Any]) -> bool:
    """Whether it holds an answer, delivered or not: one that no sink took is whole and paid all the same."""
    return result["status"] != Status.FAILED or result.get("stop_reason") is not None


def error_of(result: dict[str, Any]) -> dict[str, Any]:
    """Its error; empty where it has none."""
    error = result.get("error")
    return error if isinstance(error, dict) else {}


def error_type(error: dict[str, Any]) -> str:
    return _ERROR_TYPES.get(error.get("cause", ""), "api_error")


def made_id(prefix: str, result: dict[str, Any]) -> str:
    """An id where the provider's own is not kept: the same for the same answer, another for every other one."""
    told = "\0".join(str(result.get(name)) for name in ("id", "request", "finished"))
    return prefix + hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def count(usage: object, name: str) -> int:
    """A number of tokens; 0 where it was not told."""
    return told_tokens(usage, name) if isinstance(usage, dict) else 0
