"""A job, one line of the job file, as a frozen value; and its fingerprint. No reading here.

Fingerprint: what the user asked for, that is the line and the flags that were given, in one canonical form. The
defaults of batchrun and of a backend are left out of it, and it is taken before a request is translated, so that none
of these pays a million items again when it changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from batchrun.providers.provider import Wire

DEFAULT_MODEL = "claude-haiku-5-5"  # cheap and current in November 2026
DEFAULT_MAX_TOKENS = 2048  # thinking counts towards it, so a tiny value gives an empty text

# Chat completions know the bound on the answer by two names; which one is taken depends on server and model.
LimitField = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True)
class BackendSpeech:
    """What a reader of jobs must know of a backend: the dialect that it takes, and what it puts where a line is silent.

    `model` None: batchrun's own default, which only the Messages API knows. `limit_field`: how a chat backend wants the
    bound on the answer to be called where the line does not call it itself.
    """

    name: str
    wire: Wire = Wire.MESSAGES
    model: str | None = None
    max_tokens: int | None = None
    limit_field: LimitField = "max_tokens"


@dataclass(frozen=True, slots=True)
class RequestFlags:
    """What the user gave for the whole run; a line's own value wins over it. None: not given. `chat_backend` is where
    lines of chat completions go instead of to `backend`, None for nowhere else."""

    model: str | None = None
    max_tokens: int | None = None
    backend: str = "claude"
    stop_when: Mapping[str, Any] | None = None
    chat_backend: str | None = None

    def backend_for(self, wire: Wire) -> str:
        """Where a line in this dialect goes that names no backend."""
        return self.chat_backend or self.backend if wire is Wire.CHAT else self.backend


@dataclass(frozen=True, slots=True)
class Job:
    """One line, read and checked.

    `body` is the request body as it goes on the wire, in the dialect `wire` and without `stream`; `line` counts from 1
    and serves messages only; `request` is the fingerprint (16 hex digits). `stream` is None where the line does not
    say. `metadata` is the user's own, kept out of the request and copied to the result; `stop_when` is the rule for
    an early end that the line or a flag gives, kept out of the request too.
    """

    id: str
    line: int
    body: dict[str, Any]
    request: str
    backend: str
    stream: bool | None = None
    metadata: dict[str, Any] | None = None
    wire: Wire = Wire.MESSAGES
    stop_when: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def max_tokens(self) -> int | None:
        """The most tokens that the answer may have; None where the request sets no bound."""
        most = self.body.get("max_tokens", self.body.get("max_completion_tokens"))
        return most if isinstance(most, int) else None


def way_to(wire: Wire, backends: Iterable[BackendSpeech]) -> str:
    """What to do so that lines go to a backend that speaks this."""
    names = sorted(speech.name for speech in backends if speech.wire is wire)
    if names:
        return f"give --backend {' or '.join(names)}"
    kind = "openai" if wire is Wire.CHAT else "anthropic"
    return f'write [backends.NAME] with kind = "{kind}" into batchrun.toml and give --backend NAME'


def fingerprint(asked: dict[str, Any]) -> str:
    """16 hex digits over the canonical form: the order of keys and the white space of the line do not matter."""
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]


def with_flags(asked: dict[str, Any], flags: RequestFlags, speech: BackendSpeech | None = None) -> dict[str, Any]:
    """The line's request completed by the flags that were given.

    A model is known to one backend: the flag's does not go to another backend than the run's that has its own.
    """
    if flags.model is None and flags.max_tokens is None:
        return asked
    is_elsewhere = speech is not None and speech.name != flags.backend and speech.model is not None
    given = {
        "model": None if is_elsewhere else flags.model,
        "max_tokens": None if "max_completion_tokens" in asked else flags.max_tokens,
    }
    return {name: value for name, value in given.items() if value is not None} | asked


def with_defaults(asked: dict[str, Any], speech: BackendSpeech | None = None) -> dict[str, Any]:
    """The request completed by what neither the line nor a flag named: the backend's defaults, then batchrun's.

    Without a model where a chat backend has no default.
    """
    speech = BackendSpeech("claude") if speech is None else speech
    model = DEFAULT_MODEL if speech.model is None and speech.wire is Wire.MESSAGES else speech.model
    limit = None if "max_completion_tokens" in asked else speech.max_tokens or DEFAULT_MAX_TOKENS
    defaults = {"model": model, "max_tokens": limit}
    return {name: value for name, value in defaults.items() if value is not None} | asked
