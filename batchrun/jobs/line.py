"""One line of a job file into a `Job`, or into what is wrong with it. Pure: bytes in, values out.

Only what batchrun itself needs is checked. Every other Messages API field reaches the wire as it stands in the line:
the provider knows best what it takes, and knows it sooner than we do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from batchrun.jobs.job import Job, RequestFlags, fingerprint, with_defaults, with_flags

OWN_FIELDS = frozenset({"id", "prompt", "backend", "stream", "metadata"})
# `metadata.user_id` is a field of the Messages API; any other key of `metadata` is the user's own.
API_METADATA = "user_id"
BOM = b"\xef\xbb\xbf"


class Complaint(NamedTuple):
    """What is wrong with a line, and what to do about it."""

    what: str
    remedy: str


class BadJobLine(ValueError):
    """A line that is no job; `complaints` holds all that is wrong with it, `id` its id where that at least is good."""

    def __init__(self, complaints: list[Complaint], id: str | None = None) -> None:
        super().__init__("; ".join(complaint.what for complaint in complaints))
        self.complaints = complaints
        self.id = id


def is_blank(line: bytes) -> bool:
    """Blank lines are allowed anywhere and count as no job."""
    return not line.strip(b" \t\r\n")


def parse_line(line: bytes, number: int, flags: RequestFlags, backends: frozenset[str]) -> Job:
    """Read one line (with or without its newline, CRLF allowed).

    Raises:
        BadJobLine: the line is at fault; everything that is wrong with it is told at once.
    """
    fields = _object(line)
    complaints = [
        complaint
        for check in (_check_id, _check_messages, _check_request, _check_own)
        for complaint in check(fields, backends)
    ]
    if complaints:
        raise BadJobLine(complaints, None if _check_id(fields, backends) else fields["id"])
    return _job(fields, number, flags)


def _object(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        remedy = "write one JSON object on one line"
        raise BadJobLine([Complaint(f"not JSON ({exc.msg}, column {exc.colno})", remedy)]) from exc
    if not isinstance(fields, dict):
        remedy = 'write an object such as {"id": "a", "prompt": "..."}'
        raise BadJobLine([Complaint(f"a JSON {_json_type(fields)}, not an object", remedy)])
    return fields


def _check_id(fields: dict[str, Any], _: frozenset[str]) -> list[Complaint]:
    if "id" not in fields:
        return [Complaint("no id", 'add "id": "..." that is unique in the file')]
    name = fields["id"]
    if not isinstance(name, str):
        example = name if _json_type(name) == "number" else "..."
        return [Complaint(f"id is a JSON {_json_type(name)}, not a string", f'write "id": "{example}"')]
    return [] if name else [Complaint("id is empty", "give it a text that is unique in the file")]


def _check_messages(fields: dict[str, Any], _: frozenset[str]) -> list[Complaint]:
    if "messages" in fields and "prompt" in fields:
        return [Complaint("both messages and prompt", "keep one of them")]
    if "prompt" in fields:
        prompt = fields["prompt"]
        usable = isinstance(prompt, str) and bool(prompt.strip())
        return [] if usable else [Complaint("prompt is not a text with something in it", "write what to ask")]
    if "messages" not in fields:
        remedy = 'add "prompt": "..." or "messages": [{"role": "user", "content": "..."}]'
        return [Complaint("neither messages nor prompt", remedy)]
    messages = fields["messages"]
    remedy = 'write "messages": [{"role": "user", "content": "..."}]'
    if not isinstance(messages, list) or not messages:
        return [Complaint("messages is not a list with something in it", remedy)]
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message or "content" not in message:
            return [Complaint(f"messages[{position}] has no role or no content", remedy)]
    return []


def _check_request(fields: dict[str, Any], _: frozenset[str]) -> list[Complaint]:
    complaints = []
    model = fields.get("model", "set")
    if not isinstance(model, str) or not model:
        complaints.append(Complaint("model is not a name", 'write "model": "claude-..." or leave it out'))
    limit = fields.get("max_tokens", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        complaints.append(Complaint("max_tokens is not a whole number above 0", "mend it or leave it out"))
    return complaints


def _check_own(fields: dict[str, Any], backends: frozenset[str]) -> list[Complaint]:
    complaints = []
    if not isinstance(fields.get("stream", True), bool):
        complaints.append(Complaint("stream is neither true nor false", "mend it or leave it out"))
    if not isinstance(fields.get("metadata", {}), dict):
        complaints.append(Complaint("metadata is not an object", "mend it or leave it out"))
    if "stop_when" in fields:
        complaints.append(Complaint("stop_when is not known to this version", "leave it out"))
    backend = fields.get("backend")
    if "backend" in fields and not (isinstance(backend, str) and backend in backends):
        known = ", ".join(sorted(backends))
        complaints.append(Complaint(f"no backend is called {backend!r}", f"use one of: {known}"))
    return complaints


def _job(fields: dict[str, Any], number: int, flags: RequestFlags) -> Job:
    asked = {name: value for name, value in fields.items() if name not in OWN_FIELDS}
    if "prompt" in fields:
        asked["messages"] = [{"role": "user", "content": fields["prompt"]}]
    metadata = dict(fields.get("metadata", {}))
    if API_METADATA in metadata:
        asked["metadata"] = {API_METADATA: metadata.pop(API_METADATA)}
    asked = with_flags(asked, flags)
    try:
        request = fingerprint(asked)
    except TypeError as exc:  # orjson reads deeper than it writes
        raise BadJobLine([Complaint("nested too deeply to be sent", "flatten it")], fields["id"]) from exc
    return Job(
        id=fields["id"],
        line=number,
        body=with_defaults(asked),
        request=request,
        backend=fields.get("backend", flags.backend),
        stream=fields.get("stream"),
        metadata=metadata or None,
    )


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", type(None): "null"}
    return names.get(type(value), "object")
