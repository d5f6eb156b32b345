"""One line of a job file into a `Job`, or into what is wrong with it. Pure: bytes in, values out.

Only what batchrun itself needs is checked. Every other field of a request reaches the wire as it stands in the line:
the provider knows best what it takes, and knows it sooner than we do. Only a line whose dialect its backend does not
speak is looked into further, for it must be translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from batchrun.jobs.dialect import Complaint, Parts, lay_out
from batchrun.jobs.job import BackendSpeech, Job, RequestFlags, fingerprint, way_to, with_defaults, with_flags
from batchrun.jobs.to_chat import to_chat
from batchrun.jobs.to_messages import to_messages
from batchrun.jobs.translate import Untranslatable
from batchrun.providers.provider import Wire

STOP_WHEN = "batchrun.stop_when"  # no field of any request is called so

# Says what is wrong with a line's rule for an early end, and what to do about it; None where it can be followed.
StopCheck = Callable[[object], tuple[str, str] | None]
Backends = Mapping[str, BackendSpeech]


class BadJobLine(ValueError):
    """A line that is no job; `complaints` holds all that is wrong with it, `id` its id where that at least is good."""

    def __init__(self, complaints: list[Complaint], id: str | None = None) -> None:
        super().__init__("; ".join(complaint.what for complaint in complaints))
        self.complaints = complaints
        self.id = id


class CheckedLine(NamedTuple):
    """A line with which nothing is wrong. `request` is the fingerprint of what is `asked`, flags included; `speech` is
    its backend's. A tuple, for there is one for each of a million lines."""

    id: str
    request: str
    parts: Parts
    asked: dict[str, Any]
    speech: BackendSpeech
    stop_when: Mapping[str, Any] | None


def is_blank(line: bytes) -> bool:
    """Blank lines are allowed anywhere and count as no job."""
    return not line.strip(b" \t\r\n")


def parse_line(
    line: bytes, number: int, flags: RequestFlags, backends: Backends, check_stop_when: StopCheck | None = None
) -> Job:
    """Read one line (with or without its newline, CRLF allowed). Without `check_stop_when` stop rules go unchecked.

    Raises:
        BadJobLine: the line is at fault; everything that is wrong with it is told at once.
    """
    return job_of(read_line(line, flags, backends, check_stop_when), number)


def read_line(
    line: bytes, flags: RequestFlags, backends: Backends, check_stop_when: StopCheck | None = None
) -> CheckedLine:
    """The same without the job, which nobody wants of a line whose item is finished. Raises BadJobLine."""
    fields = _object(line)
    parts, complaints = lay_out(fields)
    id_faults = _check_id(fields, parts)
    complaints = [
        *id_faults,
        *complaints,
        *_check_messages(parts),
        *_check_request(parts),
        *(_check_own(parts, backends, check_stop_when) if parts.own else ()),
    ]
    if complaints:
        raise BadJobLine(complaints, None if id_faults else fields[parts.id_field])
    return _checked(fields[parts.id_field], parts, flags, backends)


def job_of(checked: CheckedLine, number: int) -> Job:
    """The job of a line that was found good; `number` is the line's."""
    parts, speech = checked.parts, checked.speech
    return Job(
        id=checked.id,
        line=number,
        body=_body(checked.asked, parts, speech),
        request=checked.request,
        backend=speech.name,
        stream=parts.own.get("stream"),
        metadata=parts.own.get("metadata") or None,
        wire=speech.wire,
        stop_when=checked.stop_when,
    )


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


def _check_id(fields: dict[str, Any], parts: Parts) -> list[Complaint]:
    field = parts.id_field
    if field not in fields:
        if "custom_id" in fields:
            return [Complaint("custom_id, but neither params nor body", "add one of them, or call it id")]
        return [Complaint(f"no {field}", f'add "{field}": "..." that is unique in the file')]
    name = fields[field]
    if not isinstance(name, str):
        example = name if _json_type(name) == "number" else "..."
        return [Complaint(f"{field} is a JSON {_json_type(name)}, not a string", f'write "{field}": "{example}"')]
    return [] if name else [Complaint(f"{field} is empty", "give it a text that is unique in the file")]


def _check_messages(parts: Parts) -> list[Complaint]:
    if "prompt" in parts.own:
        if "messages" in parts.request:
            return [Complaint("both messages and prompt", "keep one of them")]
        prompt = parts.own["prompt"]
        usable = isinstance(prompt, str) and bool(prompt.strip())
        return [] if usable else [Complaint("prompt is not a text with something in it", "write what to ask")]
    example = '"messages": [{"role": "user", "content": "..."}]'
    if "messages" not in parts.request:
        if parts.envelope:
            return [Complaint(f"{parts.envelope} has no messages", f"write {example} into it")]
        return [Complaint("neither messages nor prompt", f'add "prompt": "..." or {example}')]
    field, messages = parts.named("messages"), parts.request["messages"]
    if not isinstance(messages, list) or not messages:
        return [Complaint(f"{field} is not a list with something in it", f"write {example}")]
    # In chat completions a message that only calls tools has no content.
    needed = ("role",) if parts.wire is Wire.CHAT else ("role", "content")
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or any(name not in message for name in needed):
            return [Complaint(f"{field}[{position}] has no {' or no '.join(needed)}", f"write {example}")]
    return []


def _check_request(parts: Parts) -> Iterator[Complaint]:
    model = parts.request.get("model", "set")
    if not isinstance(model, str) or not model:
        yield Complaint(f"{parts.named('model')} is not a name", 'write "model": "claude-..." or leave it out')
    for field in ("max_tokens", "max_completion_tokens") if parts.wire is Wire.CHAT else ("max_tokens",):
        limit = parts.request.get(field, 1)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            yield Complaint(f"{parts.named(field)} is not a whole number above 0", "mend it or leave it out")


def _check_own(parts: Parts, backends: Backends, check_stop_when: StopCheck | None) -> Iterator[Complaint]:
    if not isinstance(parts.own.get("stream", True), bool):
        yield Complaint(f"{parts.named('stream')} is neither true nor false", "mend it or leave it out")
    if not isinstance(parts.own.get("metadata", {}), dict):
        yield Complaint("metadata is not an object", "mend it or leave it out")
    backend = parts.own.get("backend")
    if "backend" in parts.own and not (isinstance(backend, str) and backend in backends):
        known = ", ".join(sorted(backends))
        yield Complaint(f"no backend is called {backend!r}", f"use one of: {known}")
    if "stop_when" in parts.own:
        fault = None if check_stop_when is None else check_stop_when(parts.own["stop_when"])
        if fault:
            yield Complaint(*fault)
        if parts.own.get("stream") is False:
            what = "stop_when, but stream is false: an answer that comes in one piece cannot be stopped"
            yield Complaint(what, "leave one of them out")


def _checked(id: str, parts: Parts, flags: RequestFlags, backends: Backends) -> CheckedLine:
    speech = backends[parts.own.get("backend", flags.backend_for(parts.wire))]
    asked = dict(parts.request)
    if "prompt" in parts.own:
        asked["messages"] = [{"role": "user", "content": parts.own["prompt"]}]
    asked = with_flags(asked, flags, speech)
    stop_when = parts.own.get("stop_when", flags.stop_when)
    # Where an answer ends is part of what was asked, though the provider never hears of it.
    request = _request(asked if stop_when is None else asked | {STOP_WHEN: stop_when}, id)
    checked = CheckedLine(id, request, parts, asked, speech, stop_when)
    # In its own dialect a request for the Messages API goes as it is, and there is a model for it.
    if not (parts.wire is speech.wire is Wire.MESSAGES):
        _check_body(checked, backends)
    return checked


def _request(asked: dict[str, Any], id: str) -> str:
    try:
        return fingerprint(asked)
    except TypeError as exc:  # orjson reads deeper than it writes
        raise BadJobLine([Complaint("nested too deeply to be sent", "flatten it")], id) from exc


def _check_body(checked: CheckedLine, backends: Backends) -> None:
    id, parts, speech = checked.id, checked.parts, checked.speech
    try:
        body = _body(checked.asked, parts, speech)
    except Untranslatable as exc:
        raise BadJobLine([_unsaid(problem, parts, speech, backends) for problem in exc.problems], id) from exc
    if "model" not in body:
        remedy = f"add it, give --model, or set a model for the backend {speech.name}"
        raise BadJobLine([Complaint(f"no {parts.named('model')}", remedy)], id)


def _body(asked: dict[str, Any], parts: Parts, speech: BackendSpeech) -> dict[str, Any]:
    """The request as the backend takes it."""
    body = with_defaults(asked, speech)
    if parts.wire != speech.wire:
        body = to_chat(body) if speech.wire is Wire.CHAT else to_messages(body)
    is_named_by_line = parts.wire is Wire.CHAT and "max_tokens" in parts.request
    if speech.wire is Wire.CHAT and "max_tokens" in body and not is_named_by_line:
        body[speech.limit_field] = body.pop("max_tokens")
    return body


def _unsaid(problem: str, parts: Parts, speech: BackendSpeech, backends: Backends) -> Complaint:
    is_chat = speech.wire is Wire.CHAT
    said, form = ("chat completions", "an OpenAI") if is_chat else ("the Messages API", "an Anthropic")
    what = f"{parts.named(problem)} cannot be translated for the backend {speech.name}, which speaks {said}"
    elsewhere = way_to(parts.wire, backends.values())
    remedy = f"leave it out, write the line as {form} batch request, or {elsewhere} to send it as it is"
    return Complaint(what, remedy)


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", type(None): "null"}
    return names.get(type(value), "object")
