"""Errors in the words of the Messages API: a status, a type and a message.

Pure; who is at fault is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class ApiError:
    """An answer with a status from 400 up; `code` says more than the status where there is one."""

    status: int
    message: str
    code: str | None = None

    @property
    def type(self) -> str:
        """The word in `error.type`."""
        default = "api_error" if self.status >= 500 else "invalid_request_error"
        return _TYPE_OF_STATUS.get(self.status, default)

    def body(self, request_id: str) -> bytes:
        """The JSON body."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.code:
            error["details"] = {"error_code": self.code}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def error_of(status: int, code: str | None = None) -> ApiError:
    """The error that a scenario or a directive asks for by its status."""
    return ApiError(status, _MESSAGE_OF_STATUS.get(status, f"The simulator was asked for a status {status}."), code)
