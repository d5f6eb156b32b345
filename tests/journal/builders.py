"""Outcomes, headers and state directories as the tests of this room need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from batchrun.errors import JournalError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.record import Checkpoint, Header, encode_checkpoint, encode_result, is_header, parse_checkpoint
from batchrun.journal.recovery import Recovered, recover
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure, Outcome, Status

HEADER = Header(run="run-1", jobs_sha256="ab" * 32, config="c0ffee", created="2026-11-21T00:00:00.000Z")


def outcome(id: str, **changes: Any) -> Outcome:
    """A job that was answered with a text which names it."""
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
        "text": text_of(id),
        "usage": {"output_tokens": 120},
    }
    return Outcome(**(fields | changes))


def failure(id: str, *, final: bool = False, **changes: Any) -> Outcome:
    """A job that ended without an answer."""
    error = {"cause": "silent", "message": "not a byte for 60 s"}
    return outcome(id, status=Status.FAILED, final=final, text="", stop_reason=None, error=error, **changes)


def text_of(id: str) -> str:
    return f"the answer to {id}"


def state_in(directory: Path) -> StateDir:
    state = StateDir(directory / "jobs.batchrun")
    state.create()
    return state


def write(state: StateDir, *outcomes: Outcome, disk: Disk = DISK) -> list[str]:
    """Recover, then append each outcome in the order that the law asks. Returns the notices of the recovery."""
    recovered = recover(state, HEADER, disk)
    try:
        for each in outcomes:
            append(recovered, each)
    finally:
        close(recovered)
    return recovered.notices


def append(recovered: Recovered, each: Outcome) -> None:
    line = encode_result(each)
    offset = recovered.results.append(line)
    recovered.results.sync()
    recovered.checkpoints.append(encode_checkpoint(each, offset, len(line)))
    recovered.checkpoints.sync()


def close(recovered: Recovered) -> None:
    recovered.results.close()
    recovered.checkpoints.close()


def finished_after_restart(state: StateDir, *outcomes: Outcome, disk: Disk = DISK) -> list[str]:
    """The ids of those outcomes that a start takes for finished."""
    recovered = recover(state, HEADER, disk)
    close(recovered)
    return [each.id for each in outcomes if recovered.finished.is_finished(each.id, each.request)]


def ids(state: StateDir) -> list[str]:
    return [checkpoint.id for checkpoint in checkpoints(state)]


def checkpoints(state: StateDir) -> list[Checkpoint]:
    """Those that are whole, in the order of the file; no lock is taken and nothing repaired."""
    whole = (data for _, data, is_sound in scan(state.checkpoint) if is_sound)
    return [parse_checkpoint(data) for data in whole if not is_header(data)]


def refusal_of(state: StateDir) -> str:
    """What a start says that will not go on; empty where it goes on."""
    try:
        close(recover(state, HEADER))
    except JournalError as exc:
        return str(exc)
    return ""


def kept_aside(state: StateDir) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(state.path.glob("*.bad-*")))


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)
