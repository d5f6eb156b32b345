"""What one attempt can die of, as a frozen value: every room below hands its trouble on in these words.

Only the words stand here. What is done about them is decided in `retry.py`; how a library's exception becomes
one of them is decided at that library's border.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why an attempt ended without an answer; the words stand in the checkpoint and in the report."""

    RATE_LIMITED = "rate_limited"  # 429
    OVERLOADED = "overloaded"  # 529, overloaded_error
    SERVER_ERROR = "server_error"  # 5xx, 408, 409, api_error, a gateway's HTML page
    CONNECT = "connect"  # no connection: refused, no address, no route, connect clock
    BROKEN = "broken"  # reset or incomplete body
    FIRST_BYTE = "first_byte"  # first-byte clock
    SILENT = "silent"  # idle clock: not even a ping
    STALLED = "stalled"  # stall clock: nothing but pings
    TOO_LONG = "too_long"  # total clock
    TRUNCATED = "truncated"  # a clean end without a stop reason
    PROTOCOL = "protocol"  # bytes that are no Messages API stream
    LOCAL = "local"  # ours: too many open files
    BAD_REQUEST = "bad_request"  # 400 and the other 4xx that the item itself earned
    TOO_LARGE = "too_large"  # 413
    CREDENTIALS = "credentials"  # 401, 402, 403
    UNKNOWN_MODEL = "unknown_model"  # 404
    QUOTA = "quota"  # spend limit, daily quota
    TLS = "tls"  # certificate refused
    SINK = "sink"  # the answer came, or was coming, and a sink did not take it
    BUG = "bug"  # an exception of our own; never retried


@dataclass(frozen=True, slots=True)
class Failure:
    """How one attempt ended badly.

    `retry_after` is in seconds, as the provider asked, None where it said nothing. `partial_tokens` counts output
    tokens that were received and thrown away (an estimate where the provider never told), `partial_characters` what
    they were in length. `message` is already stripped of credentials and cut to 2 KB. `is_unanswered`: the connection
    broke before the head of an answer had come.
    """

    cause: Cause
    message: str
    status: int | None = None
    retry_after: float | None = None
    partial_tokens: int = 0
    partial_characters: int = 0
    request_id: str | None = None
    is_unanswered: bool = False


class AttemptFailed(Exception):
    """Carries a `Failure` out of an attempt; caught by the engine and nowhere else."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
