"""The runs of a state directory: a line when one starts, a line when it ends. One without its end was killed.

They only tell the story; no job is finished or asked again because of what stands here.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from batchrun.errors import NoRunError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.log import Log
from batchrun.journal.mend import ends_whole
from batchrun.journal.record import BadLine, encode_line, parse
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir


@dataclass(frozen=True, slots=True)
class RunStart:
    """What was known when the run began. `args` holds no secret: that is the caller's to see to.

    `started` is UTC, RFC 3339; `total` and `pending` count jobs; `model` names those of the
    pending jobs; `simulated` tells that the embedded provider answers. `cwd` is the directory that relative paths in
    `args` start from, "" where the run did not tell. `retry` is what it asks again on purpose, and `results_size` how
    long results.jsonl was (bytes) when it began: what stands behind is of this run or of a later one. `limited`
    tells that --limit left some pending items to a later run.
    """

    run: str
    started: str
    pid: int
    host: str
    version: str
    jobs: str
    jobs_sha256: str
    args: list[str]
    total: int
    pending: int
    model: str
    simulated: bool
    cwd: str = ""
    retry: list[str] = field(default_factory=list)
    results_size: int = 0
    limited: bool = False


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the run ended, in order. `counts` are this run's own, by status and whatever else the run counts.

    `retried` are its failed attempts by cause, those of items that did not finish among them, and `wasted_tokens` what
    was thrown away with them; `spent` is what answers and waste cost, in the fields of `Spent`. None where the run did
    not tell (an older version's line).
    """

    run: str
    ended: str
    exit_code: int
    reason: str
    counts: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] | None = None
    wasted_tokens: int = 0
    spent: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `end` is None while it lives and after it was killed: `lock.is_running` tells which."""

    start: RunStart
    end: RunEnd | None


def record_start(state: StateDir, start: RunStart, disk: Disk = DISK) -> None:
    """Durable on return. The caller holds the lock. Raises JournalError."""
    _append(state.runs, {"event": "start"} | asdict(start), disk)


def record_end(state: StateDir, end: RunEnd, disk: Disk = DISK) -> None:
    """Durable on return. The caller holds the lock. Raises JournalError."""
    _append(state.runs, {"event": "end"} | asdict(end), disk)


def read_runs(state: StateDir) -> list[Run]:
    """All runs in the order of their starts; damaged lines are skipped. Raises NoRunError where it cannot be read."""
    starts: dict[str, RunStart] = {}
    ends: dict[str, RunEnd] = {}
    try:
        for _, line, is_sound in scan(state.runs):
            match _event(line) if is_sound else None:
                case RunStart() as start:
                    starts[start.run] = start
                case RunEnd() as end:
                    ends[end.run] = end
    except OSError as exc:
        raise NoRunError(f"{state.runs}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc
    return [Run(start, ends.get(run)) for run, start in starts.items()]


def _event(line: bytes) -> RunStart | RunEnd | None:
    try:
        said = parse(line)
        match said["event"]:
            case "start":
                return RunStart(**_known(RunStart, said))
            case "end":
                return RunEnd(**_known(RunEnd, said))
    except (BadLine, KeyError):
        pass
    return None


def _known(kind: type[RunStart | RunEnd], said: dict[str, Any]) -> dict[str, Any]:
    # A later version may say more than this one knows, and an earlier one less.
    return {
        field.name: said[field.name]
        for field in fields(kind)
        if field.name in said or (field.default is MISSING and field.default_factory is MISSING)
    }


def _append(path: Path, event: dict[str, Any], disk: Disk) -> None:
    log = Log.open(path, disk)
    try:
        # A torn last line is closed rather than cut: its bytes stay, and no line is glued to them.
        stub = b"" if ends_whole(log) else b"\n"
        log.append(stub + encode_line(event))
        log.sync()
    finally:
        log.close()
