"""Errors in the words of chat completions. Pure; who is at fault is decided elsewhere."""

from __future__ import annotations

import re

import orjson

from batchrun.simulator.api_error import ApiError

# Type and code; what has no row is the request's fault below 500 and the server's from there on.
_WORDS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_FIELD = re.compile(r"([a-z_]+(?:\.\w+)*): ")


def chat_error_body(error: ApiError, request_id: str) -> bytes:
    """The JSON body; the id goes in a header alone."""
    default = "server_error" if error.status >= 500 else "invalid_request_error"
    kind, code = _WORDS.get(error.status, (default, None))
    field = _FIELD.match(error.message)
    param = field[1] if field else None
    return orjson.dumps({"error": {"message": error.message, "type": kind, "param": param, "code": error.code or code}})
