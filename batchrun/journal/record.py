"""The lines of the journal: a value in, bytes out, and back. Pure: no file, no clock, no chance.

The order of the keys is part of the format, for people read these lines: `docs/format.md`.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from batchrun.outcome import Outcome, Status

VERSION = 1

# `,"crc":"` + 8 hex digits + `"}` + newline: how each line ends.
_SEAL_LENGTH = 19
# orjson writes 254 levels, the json module about a thousand less what stands on the stack already.
_MAX_DEPTH = 200


class BadLine(ValueError):
    """Bytes that are no line of the journal; the text says why. Never leaves the room."""


class Kind(StrEnum):
    """Which file a header belongs to."""

    CHECKPOINT = "checkpoint"
    RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Header:
    """Who began the file. `config` is a hash of the configuration, never of a key; `created` is UTC, RFC 3339;
    `simulated`: the embedded provider answers, and no real answer may stand beside its own."""

    run: str
    jobs_sha256: str
    config: str
    created: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line of checkpoint.jsonl, with the fields of `Outcome` and `Measure`.

    `result` is offset and length in results.jsonl, newline included. A number that was none when it was written
    (NaN, infinite) reads as 0.
    """

    id: str
    status: Status
    final: bool
    tokens: int
    wall: float
    cpu: float
    cores: float
    loop_cores: float
    tok_s: float
    ttft: float | None
    chunks: int
    attempts: int
    elapsed: float
    wasted_tokens: int
    stop_reason: str | None
    error: dict[str, Any] | None
    cost_usd: float | None
    backend: str
    model: str
    request: str
    result: tuple[int, int]
    started: str
    finished: str
    retried: dict[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    held_up: float = 0.0
    saved_tokens: int = 0
    paid_before: bool = False

    @property
    def is_kept(self) -> bool:
        """As in `Outcome`."""
        return self.status is Status.FAILED and self.stop_reason is not None


_EXTRAS = ("retried", "flags", "held_up", "saved_tokens", "paid_before")  # written only where they say something
_KEYS = tuple(name for name in Checkpoint.__dataclass_fields__ if name not in _EXTRAS)
_LED_BY = ("id", "status", "text", "content", "stop_reason", "usage", "model", "error")  # how a result line begins


def checkpoint_of(outcome: Outcome, offset: int, length: int) -> Checkpoint:
    """The checkpoint of `outcome`, whose result line stands at `offset`. Rounded to what a clock can tell."""
    measure = outcome.measure
    return Checkpoint(
        id=outcome.id,
        status=outcome.status,
        final=outcome.final,
        tokens=measure.tokens,
        wall=round(measure.wall, 4),
        cpu=round(measure.cpu, 6),
        cores=round(measure.cores, 4),
        loop_cores=round(measure.loop_cores, 4),
        tok_s=round(measure.tok_s, 2),
        ttft=None if measure.ttft is None else round(measure.ttft, 4),
        chunks=measure.chunks,
        attempts=outcome.attempts,
        elapsed=round(outcome.elapsed, 4),
        wasted_tokens=outcome.wasted_tokens,
        stop_reason=outcome.stop_reason,
        error=outcome.error,
        cost_usd=None if outcome.cost_usd is None else round(outcome.cost_usd, 8),
        backend=outcome.backend,
        model=outcome.model,
        request=outcome.request,
        result=(offset, length),
        started=outcome.started,
        finished=outcome.finished,
        retried=outcome.retried,
        flags=outcome.flags,
        held_up=round(measure.held_up, 4),
        saved_tokens=outcome.saved_tokens,
        paid_before=outcome.paid_before,
    )


def checkpoint_from_result(result: dict[str, Any], offset: int, length: int) -> Checkpoint:
    """Rebuild a lost checkpoint from its result line (C6). Raises BadLine where the line lacks a field."""
    return _checkpoint(result | {"result": (offset, length)})


def encode_checkpoint(outcome: Outcome, offset: int, length: int) -> bytes:
    """The line in checkpoint.jsonl for `outcome`."""
    return checkpoint_line(checkpoint_of(outcome, offset, length))


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """The line in checkpoint.jsonl for `checkpoint`."""
    return _sealed(_fields(checkpoint))


def encode_result(outcome: Outcome) -> bytes:
    """The line in results.jsonl: the answer, and every number of the checkpoint, so that a lost one can be rebuilt."""
    numbers = _fields(checkpoint_of(outcome, 0, 0))
    del numbers["result"]
    answer = numbers | {"text": outcome.text, "content": outcome.content, "usage": outcome.usage}
    line = {key: answer.pop(key) for key in _LED_BY} | answer
    if outcome.metadata is not None:
        line["metadata"] = outcome.metadata
    return _sealed(line)


def encode_header(kind: Kind, header: Header) -> bytes:
    """The first line of a file of this kind (C2)."""
    return _sealed(
        {
            "batchrun": kind,
            "version": VERSION,
            "run": header.run,
            "jobs_sha256": header.jobs_sha256,
            "config": header.config,
            "created": header.created,
            "simulated": header.simulated,
        }
    )


def magic(kind: Kind) -> bytes:
    """How each file of this kind begins, whatever the version."""
    return b'{"batchrun":"%s",' % kind.value.encode()


def is_header(line: bytes) -> bool:
    return line.startswith(b'{"batchrun":')


def decode_header(line: bytes, kind: Kind) -> Header:
    """Raises BadLine for a damaged line, another kind of file, or a version that this program does not know."""
    fields = decode_line(line)
    if fields.get("batchrun") != kind:
        raise BadLine(f"not the header of {kind}.jsonl")
    if fields.get("version") != VERSION:
        raise BadLine(f"format version {fields.get('version')}, this program knows {VERSION}")
    try:
        known = (fields["run"], fields["jobs_sha256"], fields["config"], fields["created"])
        return Header(*known, simulated=bool(fields["simulated"]))
    except KeyError as exc:
        raise BadLine(f"the header lacks {exc}") from exc


def decode_line(line: bytes) -> dict[str, Any]:
    """The fields of any line of the journal, without its CRC; with or without the newline. Raises BadLine (C4)."""
    if not is_sealed(line):
        raise BadLine("the CRC does not fit the line")
    fields = parse(line)
    del fields["crc"]
    return fields


def parse_checkpoint(line: bytes) -> Checkpoint:
    """The checkpoint in a line whose CRC is known to fit. Raises BadLine."""
    return _checkpoint(parse(line))


def encode_line(fields: dict[str, Any]) -> bytes:
    """A line with these fields (at least one), its CRC and a newline."""
    return _sealed(fields)


def is_sealed(line: bytes) -> bool:
    """Whether the line ends in a CRC that fits it, with or without a newline after it."""
    return is_sealed_line(line if line.endswith(b"\n") else line + b"\n")


def is_sealed_line(line: bytes) -> bool:
    """Whether the line ends in a CRC that fits it, and in a newline (C4)."""
    return line[-_SEAL_LENGTH:] == b',"crc":"%08x"}\n' % zlib.crc32(line[:-_SEAL_LENGTH])


def parse(line: bytes) -> dict[str, Any]:
    """The fields of a line whose CRC is known to fit. Raises BadLine."""
    try:
        fields = orjson.loads(line)
    except ValueError:
        fields = _parse_oddity(line)
    if not isinstance(fields, dict):
        raise BadLine("not an object")
    return fields


def to_json(value: object) -> bytes:
    """JSON of `value` (C13), whatever it holds, for a record that raised would lose an answer that was paid.

    NaN and infinity become null, lone surrogates stay as escapes, what JSON cannot say becomes its text.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(_plain(value, 0), allow_nan=False, separators=(",", ":")).encode("ascii")


def _parse_oddity(line: bytes) -> Any:
    # orjson refuses lone surrogates, which `to_json` lets through as escapes: the id must stay what it was.
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadLine(f"not JSON: {exc}") from exc


def _plain(value: object, depth: int) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case _ if depth > _MAX_DEPTH:
            return "[nested too deeply to be kept]"
        case dict():
            return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, depth + 1) for inner in value]
        case _:
            return str(value)


def _sealed(fields: dict[str, Any]) -> bytes:
    body = to_json(fields)[:-1]
    return b'%s,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def _fields(checkpoint: Checkpoint) -> dict[str, Any]:
    fields = {key: getattr(checkpoint, key) for key in _KEYS}
    for key in _EXTRAS:
        if extra := getattr(checkpoint, key):
            fields[key] = extra
    return fields


def _checkpoint(fields: dict[str, Any]) -> Checkpoint:
    try:
        offset, length = fields["result"]
        return Checkpoint(
            id=fields["id"],
            status=Status(fields["status"]),
            final=fields["final"],
            tokens=fields["tokens"],
            wall=fields["wall"] or 0.0,
            cpu=fields["cpu"] or 0.0,
            cores=fields["cores"] or 0.0,
            loop_cores=fields["loop_cores"] or 0.0,
            tok_s=fields["tok_s"] or 0.0,
            ttft=fields["ttft"],
            chunks=fields["chunks"],
            attempts=fields["attempts"],
            elapsed=fields["elapsed"] or 0.0,
            wasted_tokens=fields["wasted_tokens"],
            stop_reason=fields["stop_reason"],
            error=fields["error"],
            cost_usd=fields["cost_usd"],
            backend=fields["backend"],
            model=fields["model"],
            request=fields["request"],
            result=(int(offset), int(length)),
            started=fields["started"],
            finished=fields["finished"],
            retried=fields.get("retried", {}),
            flags=tuple(fields.get("flags", ())),
            held_up=fields.get("held_up") or 0.0,
            saved_tokens=fields.get("saved_tokens", 0),
            paid_before=bool(fields.get("paid_before")),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise BadLine(f"no record: {exc!r}") from exc
