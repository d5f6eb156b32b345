"""Errors in the words of the Messages API: a status, a type and a message.

Pure; who is at fault is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

_TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_MESSAGE_OF_STATUS = {
    429: "The simulated rate limit of this organization was exceeded. Wait and try again.",
    500: "The simulated server failed.",
    529: "Overloaded",
}

# What a refused organization is told about its limits; only `remaining` and `reset` mean something here.
_SIMULATED_LIMITS = {"requests": 1000, "tokens": 500_000, "input-tokens": 400_000, "output-tokens": 100_000}


@dataclass(frozen=True, slots=True)
class ApiError:
    """An answer with a status from 400 up."""

    status: int
    message: str

    @property
    def type(self) -> str:
        """The word in `error.type`."""
        default = "api_error" if self.status >= 500 else "invalid_request_error"
        return _TYPE_OF_STATUS.get(self.status, default)

    def body(self, request_id: str) -> bytes:
        """The JSON body."""
        error = {"type": self.type, "message": self.message}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def error_of(status: int) -> ApiError:
    """The error that a scenario or a directive asks for by its status."""
    return ApiError(status, _MESSAGE_OF_STATUS.get(status, f"The simulator was asked for a status {status}."))


def limit_headers(retry_after: float, now: float) -> dict[str, str]:
    """What a client that asked too often is told; `now` is in seconds since 1970."""
    # Whole seconds rounded down, as the API gives them: the reset never lies behind what retry-after says.
    reset = datetime.fromtimestamp(math.floor(now + retry_after), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"retry-after": f"{retry_after:g}"}
    for bucket, limit in _SIMULATED_LIMITS.items():
        headers[f"anthropic-ratelimit-{bucket}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{bucket}-remaining"] = "0" if bucket == "requests" else str(limit)
        headers[f"anthropic-ratelimit-{bucket}-reset"] = reset
    return headers
