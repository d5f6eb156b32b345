"""A job, one line of the job file, as a frozen value; and its fingerprint. No reading here.

Fingerprint: what the user asked for, that is the line and the flags that were given, in one canonical form. batchrun's
own defaults are left out of it, so that a changed default does not pay a million items again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

DEFAULT_MODEL = "claude-haiku-5-5"  # cheap and current in November 2026
DEFAULT_MAX_TOKENS = 2048  # thinking counts towards it, so a tiny value gives an empty text


@dataclass(frozen=True, slots=True)
class RequestFlags:
    """What the user gave for the whole run; a line's own value wins over it. None: not given."""

    model: str | None = None
    max_tokens: int | None = None
    backend: str = "claude"


@dataclass(frozen=True, slots=True)
class Job:
    """One line, read and checked.

    `body` is the request body as it goes on the wire, without `stream`; `line` counts from 1 and serves messages only;
    `request` is the fingerprint (16 hex digits). `stream` is None where the line does not say. `metadata` is the user's
    own, kept out of the request and copied to the result.
    """

    id: str
    line: int
    body: dict[str, Any]
    request: str
    backend: str
    stream: bool | None = None
    metadata: dict[str, Any] | None = None

    @property
    def model(self) -> str:
        return str(self.body["model"])


def fingerprint(asked: dict[str, Any]) -> str:
    """16 hex digits over the canonical form: the order of keys and the white space of the line do not matter."""
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]


def with_flags(asked: dict[str, Any], flags: RequestFlags) -> dict[str, Any]:
    """The line's request completed by the flags that were given."""
    given = {"model": flags.model, "max_tokens": flags.max_tokens}
    return {name: value for name, value in given.items() if value is not None} | asked


def with_defaults(asked: dict[str, Any]) -> dict[str, Any]:
    """The request as it goes on the wire: what neither the line nor a flag named comes from batchrun."""
    return {"model": DEFAULT_MODEL, "max_tokens": DEFAULT_MAX_TOKENS} | asked
