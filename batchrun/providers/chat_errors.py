"""What an error in OpenAI's shape says, and the cause behind it, as tables. Pure.

Servers that speak chat completions agree on the place of the message and on little else. So the status decides where
there is one; a code or a type does where it says more than the status, or stands alone in a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from batchrun.failure import Cause
from batchrun.providers.failures import cause_of_error_type, cause_of_status

# Codes and types that hold whatever the status. A limit on money arrives as 429 and lasts for weeks; a model that an
# account may not use as 403; a prompt that is too long as 400.
BY_WORD: dict[str, Cause] = {
    "insufficient_quota": Cause.QUOTA,
    "billing_hard_limit_reached": Cause.QUOTA,
    "billing_not_active": Cause.QUOTA,
    "model_not_found": Cause.UNKNOWN_MODEL,
    "context_length_exceeded": Cause.TOO_LARGE,
    "exceed_context_size_error": Cause.TOO_LARGE,  # llama.cpp
    "rate_limit_exceeded": Cause.RATE_LIMITED,
    "invalid_api_key": Cause.CREDENTIALS,
}

# Types that are told in mid-stream, where there is no status; those of the Messages API stand in `failures.py`.
BY_TYPE: dict[str, Cause] = {
    "requests": Cause.RATE_LIMITED,
    "tokens": Cause.RATE_LIMITED,
    "server_error": Cause.SERVER_ERROR,
    "BadRequestError": Cause.BAD_REQUEST,  # vLLM names its own exceptions
    "NotFoundError": Cause.UNKNOWN_MODEL,
}


class ChatError(NamedTuple):
    """An error as it was told; `code` and `type` are empty where nothing was said."""

    message: str
    type: str = ""
    code: str = ""

    def cause(self, status: int | None = None) -> Cause:
        """The cause behind it; `status` None: it came inside an answer that began with 200."""
        for word in (self.code, self.type):
            if word in BY_WORD:
                return BY_WORD[word]
        if status is None and self.code in _STATUSES:
            status = _STATUSES[self.code]  # OpenRouter, vLLM and others put the status there
        if status is not None:
            return cause_of_status(status)
        return BY_TYPE.get(self.type) or cause_of_error_type(self.type)


_STATUSES = {str(status): status for status in range(400, 600)}


def error_in(document: Mapping[str, Any]) -> ChatError | None:
    """The error that a body or an event holds, None where it holds none."""
    error = document.get("error")
    if not error and document.get("object") == "error":
        error = document  # without the envelope, as older vLLM and Mistral have it
    if not error:
        return None
    if not isinstance(error, Mapping):
        return ChatError(_text(error))
    message = error.get("message") or document.get("message") or "an error without a message"
    return ChatError(_text(message), _word(error.get("type")), _word(error.get("code")))


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
