"""What a run leaves behind, written as a run writes it, for the tests of this room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from batchrun.export.choices import Format
from batchrun.export.formats import WRITINGS
from batchrun.journal.record import Header, Kind, decode_line, encode_checkpoint, encode_header, encode_result
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure, Outcome, Status

HEADER = Header("run-1", "ab" * 32, "c0ffee", "2026-11-21T00:00:00.000Z")
USAGE = {"input_tokens": 20, "output_tokens": 120, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}


def outcome(id: str, **changes: Any) -> Outcome:
    """An item that was answered."""
    text = f"the answer to {id}"
    fields: dict[str, Any] = {
        "id": id,
        "status": Status.DONE,
        "final": True,
        "measure": Measure(1.25, 0.004, 0.0032, 0.21, 120, 96.0, 0.31, 40),
        "attempts": 1,
        "elapsed": 1.3,
        "wasted_tokens": 0,
        "backend": "claude",
        "model": "claude-haiku-5-5",
        "request": f"request of {id}",
        "started": "2026-11-21T01:00:00.000Z",
        "finished": "2026-11-21T01:00:01.300Z",
        "stop_reason": "end_turn",
        "text": text,
        "content": [{"type": "text", "text": text}],
        "usage": USAGE,
        "cost_usd": 0.00012,
    }
    return Outcome(**(fields | changes))


def failed(id: str, cause: str = "bad_request", http_status: int | None = 400, **changes: Any) -> Outcome:
    """An item that got no answer."""
    error = {"cause": cause, "message": f"what {cause} means", "status": http_status, "request_id": "req_1"}
    plain: dict[str, Any] = {"text": "", "content": [], "usage": {}, "stop_reason": None, "cost_usd": None}
    return outcome(id, **(plain | {"status": Status.FAILED, "error": error} | changes))


def kept_outcome(answered: Outcome) -> Outcome:
    """The same answer, which no sink has taken."""
    error = {"cause": "sink", "message": "no disk", "status": None}
    return replace(answered, status=Status.FAILED, final=False, error=error)


def result_of(ended: Outcome) -> dict[str, Any]:
    """The result line as the formats are given it."""
    return decode_line(encode_result(ended))


def exported(format: Format, ended: Outcome) -> bytes:
    """One item in a format."""
    return WRITINGS[format].line(ended.id, result_of(ended))


def state_in(directory: Path) -> StateDir:
    """An empty state beside `jobs.jsonl`."""
    state = StateDir(directory / "jobs.batchrun")
    state.create()
    state.checkpoint.write_bytes(encode_header(Kind.CHECKPOINT, HEADER))
    state.results.write_bytes(encode_header(Kind.RESULTS, HEADER))
    return state


def finish(state: StateDir, *outcomes: Outcome) -> None:
    """Record them in this order."""
    with state.results.open("ab") as results, state.checkpoint.open("ab") as checkpoint:
        for each in outcomes:
            line = encode_result(each)
            checkpoint.write(encode_checkpoint(each, results.tell(), len(line)))
            results.write(line)


def write_jobs(path: Path, *ids: str) -> Path:
    path.write_bytes(b"".join(orjson.dumps({"id": id, "prompt": "x"}) + b"\n" for id in ids))
    return path
