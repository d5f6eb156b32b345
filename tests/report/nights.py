"""Nights that never were, written as a run writes them: the state directories that the tests of the morning read.

Everything follows from the arguments and a seed, so that a page can be compared with what was put in.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.line import parse_line
from batchrun.journal.lock import Lock
from batchrun.journal.record import Header, Kind, encode_checkpoint, encode_header, encode_result
from batchrun.journal.runs import RunEnd, RunStart, record_end, record_start
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure, Outcome, Status

CLAUDE = {"claude": BackendSpeech("claude")}

EVENING = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def stamp(seconds: float, begin: datetime = EVENING) -> str:
    """So many seconds after the evening began, as the files write it."""
    return (begin + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_line(id: str) -> bytes:
    """What stands in the job file of such a night."""
    return orjson.dumps({"id": id, "prompt": f"Tell me about {id}."})


def outcome(id: str, finished: float = 60.0, begin: datetime = EVENING, **changes: Any) -> Outcome:
    """An item that was answered so many seconds after the evening began."""
    measure = Measure(wall=4.2, cpu=0.01, cores=0.003, loop_cores=0.12, tokens=400, tok_s=95.2, ttft=0.41, chunks=380)
    fields: dict[str, Any] = {
        "id": id,
        "status": Status.DONE,
        "final": True,
        "measure": measure,
        "attempts": 1,
        "elapsed": 4.3,
        "wasted_tokens": 0,
        "backend": "claude",
        "model": "claude-haiku-5-5",
        "request": parse_line(job_line(id), 1, RequestFlags(), CLAUDE).request,
        "started": stamp(finished - 4.3, begin),
        "finished": stamp(finished, begin),
        "stop_reason": "end_turn",
        "text": f"The answer to {id}.",
        "usage": {"input_tokens": 20, "output_tokens": 400},
    }
    return Outcome(**(fields | changes))


def failed(id: str, cause: str, message: str, finished: float = 60.0, *, final: bool = True, **changes: Any) -> Outcome:
    """An item that got no answer."""
    plain: dict[str, Any] = {
        "status": Status.FAILED,
        "final": final,
        "error": {"cause": cause, "message": message, "status": None},
        "stop_reason": None,
        "text": "",
        "retried": {cause: 1},
        "measure": Measure(wall=0.3, loop_cores=0.1),
    }
    return outcome(id, finished, **(plain | changes))


@dataclass
class StateWriter:
    """Writes one state directory, file by file, in the order of time."""

    jobs: Path
    begin: datetime = EVENING
    state: StateDir = field(init=False)

    def __post_init__(self) -> None:
        self.state = StateDir.for_jobs(self.jobs)
        self.state.create()
        header = Header("run-1", "ab" * 32, "c0ffee", stamp(0, self.begin))
        self.state.checkpoint.write_bytes(encode_header(Kind.CHECKPOINT, header))
        self.state.results.write_bytes(encode_header(Kind.RESULTS, header))

    def job_file(self, ids: Iterable[str]) -> None:
        self.jobs.write_bytes(b"".join(job_line(id) + b"\n" for id in ids))

    def run_begins(self, run: str, at: float, total: int, pending: int, args: Sequence[str] = ()) -> None:
        words = ["run", self.jobs.name, *args]
        start = RunStart(
            run=run,
            started=stamp(at, self.begin),
            pid=os.getpid(),
            host=socket.gethostname(),
            version="0.1.0",
            jobs=str(self.jobs),
            jobs_sha256=hashlib.sha256(self.jobs.read_bytes()).hexdigest() if self.jobs.exists() else "ab" * 32,
            args=words,
            total=total,
            pending=pending,
            model="claude-haiku-5-5",
            simulated=False,
            cwd=str(self.jobs.parent),
        )
        record_start(self.state, start)

    def run_ends(self, run: str, at: float, exit_code: int = 0, reason: str = "finished", **told: Any) -> None:
        """`told`: more of what stands in `RunEnd`; `retried` None is an older version's end."""
        record_end(self.state, RunEnd(run, stamp(at, self.begin), exit_code, reason, **({"retried": {}} | told)))

    def finish(self, *outcomes: Outcome) -> None:
        with self.state.results.open("ab") as results, self.state.checkpoint.open("ab") as checkpoint:
            for each in outcomes:
                line = encode_result(each)
                checkpoint.write(encode_checkpoint(each, results.tell(), len(line)))
                results.write(line)

    def period(self, run: str, at: float, slots: int, cpu: float, limited_by: str, **changes: Any) -> None:
        line = {
            "t": stamp(at, self.begin),
            "run": run,
            "cpu": cpu,
            "cpu_ewma": cpu,
            "proc_cpu": 12.0,
            "loop_lag_ms": 1.2,
            "rss_mb": 118.4,
            "cpu_mhz": None,
            "temp_c": None,
            "done": 0,
            "failed": 0,
            "tok_s": 95.0 * slots,
            "retries": 0,
            "retried": {},
            "wasted_tokens": 0,
            "gates": {"claude": gate(slots, limited_by)},
        }
        with self.state.telemetry.open("ab") as telemetry:
            telemetry.write(orjson.dumps(line | changes) + b"\n")

    def snapshot(self, run: str, at: float, **changes: Any) -> None:
        assert write_snapshot(self.state, snapshot_fields(run, at, self.begin) | changes) is None

    def hold_lock(self, at: float = 0) -> Lock:
        """As a run does that is at work: this very process holds it, so many seconds after the evening began, until it
        is released."""
        lock = Lock.take(self.state)
        holder = orjson.loads(self.state.lock.read_bytes())
        self.state.lock.write_bytes(orjson.dumps(holder | {"started": stamp(at, self.begin)}) + b"\n")
        return lock


def snapshot_fields(run: str, at: float, begin: datetime = EVENING) -> dict[str, Any]:
    """What status.json holds of a run that has done 120 of 300 items."""
    return {
        "schema": "batchrun.snapshot/1",
        "run": run,
        "jobs": "/jobs.jsonl",
        "started": stamp(0, begin),
        "model": "claude-haiku-5-5",
        "t": stamp(at, begin),
        "total": 300,
        "done": 118,
        "incomplete": 1,
        "refused": 0,
        "failed": 1,
        "pending": 180,
        "in_flight": 11,
        "backing_off": 3,
        "retries": 41,
        "gates": {"claude": gate(12, "cpu", "CPU 64 % is near the target")},
        "cpu": 63.8,
        "cpu_ewma": 64.1,
        "tok_s": 1143.2,
        "eta_s": 1490,
        "cost_usd": None,
        "last_error": {
            "id": "page-0107",
            "cause": "overloaded",
            "message": "529: Overloaded",
            "status": 529,
            "t": stamp(at - 3, begin),
        },
        "ended": False,
        "exit_code": None,
        "reason": None,
    }


def gate(slots: int, limited_by: str, reason: str = "") -> dict[str, Any]:
    return {"slots": slots, "in_flight": slots - 1, "waiting": 3, "limited_by": limited_by, "reason": reason}


def rough_night(jobs: Path, items: int = 300, seed: int = 7, begin: datetime = EVENING) -> StateWriter:
    """A night at an overloaded provider: a first run that was killed, a second one that ended with two failures."""
    dice = random.Random(seed)
    writer = StateWriter(jobs, begin)
    ids = [f"page-{number:04d}" for number in range(items)]
    writer.job_file(ids)
    span = items * 8.0
    cut = span * 0.3
    writer.run_begins("run-1", 0, items, items)
    _load(writer, "run-1", 0, cut, dice)
    ends = [dice.uniform(20, span) for _ in ids]
    ordered = sorted(zip(ends, ids, strict=True))
    writer.finish(*(_some_outcome(id, at, dice, begin) for at, id in ordered if at < cut))
    late = [(at, id) for at, id in ordered if at >= cut]
    writer.run_begins("run-2", cut + 600, items, len(late))
    _load(writer, "run-2", cut + 600, span + 600, dice)
    writer.finish(*(_some_outcome(id, at + 600, dice, begin) for at, id in late[2:]))
    message = "max_tokens: 400000 > 64000, which is the maximum allowed number of output tokens for this model"
    for at, id in late[:2]:
        writer.finish(failed(id, "bad_request", message, at + 600, begin=begin))
    writer.run_ends("run-2", span + 605, 1)
    return writer


def _load(writer: StateWriter, run: str, begin: float, end: float, dice: random.Random) -> None:
    slots, at = 8, begin + 2
    while at < end:
        share = (at - begin) / (end - begin)
        held = dice.random() < 0.1
        slots = max(1, slots - 1) if held else min(14, slots + (dice.random() < 0.1))
        limited_by = "rate_limit" if held else "jobs" if share > 0.95 else "cpu" if slots >= 14 else "ramp"
        writer.period(run, at, slots, min(100.0, 4.5 * slots + dice.uniform(-4, 9)), limited_by)
        at += 2


def _some_outcome(id: str, at: float, dice: random.Random, begin: datetime) -> Outcome:
    retried = {
        cause: 1 + (dice.random() < 0.2)
        for cause, share in (("rate_limited", 0.1), ("overloaded", 0.05), ("broken", 0.05), ("silent", 0.03))
        if dice.random() < share
    }
    tokens = dice.randint(80, 900)
    wall = tokens / dice.uniform(70, 110)
    measure = Measure(
        wall=wall,
        cpu=wall * 0.004,
        cores=dice.uniform(0.002, 0.006),
        loop_cores=dice.uniform(0.05, 0.35),
        tokens=tokens,
        tok_s=tokens / wall,
        ttft=dice.uniform(0.2, 0.9),
        chunks=tokens,
    )
    waited = sum(60.0 if cause == "silent" else 8.0 for cause in retried)
    return outcome(
        id,
        at,
        begin,
        measure=measure,
        attempts=1 + sum(retried.values()),
        elapsed=wall + waited,
        wasted_tokens=100 * retried.get("broken", 0) + 40 * retried.get("silent", 0),
        retried=retried,
        text=f"What there is to say about {id}.",
    )
