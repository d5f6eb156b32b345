"""The three ways to write a job, told apart line by line and taken to one form. Pure.

What stands in a request is not judged here, and nothing is translated: the parts are only laid out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from batchrun.providers.provider import Wire

# batchrun's own, beside the request in every dialect.
OUTER_FIELDS = frozenset({"backend", "stop_when", "metadata"})
# What a simple line holds besides the fields of the request.
OWN_FIELDS = OUTER_FIELDS | {"id", "prompt", "stream"}
_BESIDE = tuple(sorted(OWN_FIELDS - {"id"}))
# Of a batch line, what its provider defines beside the request; the URL says nothing, for the backend has its own.
_ENVELOPES = {"params": frozenset({"custom_id"}), "body": frozenset({"custom_id", "method", "url"})}
# How an answer travels is the run's affair; what is asked does not change with it.
_TRAVEL = frozenset({"stream", "stream_options"})
# `metadata.user_id` is a field of the Messages API; any other key of a simple line's `metadata` is the user's own.
_API_METADATA = "user_id"


class Complaint(NamedTuple):
    """What is wrong with a line, and what to do about it."""

    what: str
    remedy: str


class Parts(NamedTuple):
    """A line laid out, before anything in it is checked. A tuple, for there is one for each of a million lines.

    `id_field` is what the dialect calls the id, and `envelope` the field that holds the request ("" in a simple line,
    whose request stands open). `request` is what is asked, in the dialect `wire`; `own` is batchrun's.
    """

    id_field: str
    envelope: str
    wire: Wire
    request: dict[str, Any]
    own: dict[str, Any]

    def named(self, field: str) -> str:
        """How the line itself calls a field of the request."""
        return f"{self.envelope}.{field}" if self.envelope else field


def lay_out(fields: dict[str, Any]) -> tuple[Parts, list[Complaint]]:
    """The parts of a line, and what is wrong with its form."""
    envelope = _envelope_of(fields)
    if envelope is None:
        return _simple(fields), []
    complaints = list(_form_faults(fields, envelope))
    held = fields[envelope]
    request = dict(held) if isinstance(held, dict) else {}
    own = {name: fields[name] for name in OUTER_FIELDS if name in fields}
    own |= {"stream": request["stream"]} if request.get("stream") is not None else {}
    wire = Wire.MESSAGES
    if envelope == "body":
        wire = Wire.CHAT
        # To these servers null means not given.
        unset = {name for name in ("max_tokens", "max_completion_tokens") if request.get(name, 0) is None}
        request = {name: value for name, value in request.items() if name not in unset}
    request = {name: value for name, value in request.items() if name not in _TRAVEL}
    return Parts("custom_id", envelope, wire, request, own), complaints


def id_of(fields: dict[str, Any]) -> Any:
    """The id in whichever dialect; None where there is none. For those who must find a line, not check it."""
    return fields.get("id" if _envelope_of(fields) is None else "custom_id")


def _envelope_of(fields: dict[str, Any]) -> str | None:
    """The field that holds the request; None for a simple line, whose own request fields decide where both stand."""
    if "custom_id" not in fields and ("messages" in fields or "prompt" in fields):
        return None
    if "params" in fields:
        return "params"
    return "body" if "body" in fields else None


def _form_faults(fields: dict[str, Any], envelope: str) -> Iterator[Complaint]:
    if all(name in fields for name in _ENVELOPES):
        yield Complaint("both params and body", "keep the one whose dialect you mean")
        return
    if envelope == "body" and fields.get("method", "POST") != "POST":
        yield Complaint(f"method is {fields['method']!r}", 'write "method": "POST" or leave it out')
    known = _ENVELOPES[envelope] | OUTER_FIELDS | {envelope}
    for name in sorted(fields.keys() - known):
        if name == "id" and "custom_id" not in fields:
            continue  # told as the custom_id that is missing
        # Passed over in silence, a misplaced field would not be missed before the answers are read.
        yield Complaint(f"{name} is not known beside {envelope}", f"move it into {envelope} or leave it out")


def _simple(fields: dict[str, Any]) -> Parts:
    request = {name: value for name, value in fields.items() if name not in OWN_FIELDS}
    own = {name: fields[name] for name in _BESIDE if name in fields}
    metadata = own.get("metadata")
    if isinstance(metadata, dict) and _API_METADATA in metadata:
        own["metadata"] = {name: value for name, value in metadata.items() if name != _API_METADATA}
        request["metadata"] = {_API_METADATA: metadata[_API_METADATA]}
    return Parts("id", "", Wire.MESSAGES, request, own)
