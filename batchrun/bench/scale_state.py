"""The state of a night that has answered so many items, made without asking anybody: job files and journal.

Lines come from the journal's own functions, so that what is measured is what a run would have left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from batchrun.item import timestamp
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.line import parse_line
from batchrun.journal.record import Header, Kind, encode_checkpoint, encode_header, encode_result
from batchrun.journal.runs import RunEnd, RunStart, record_end, record_start
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure, Outcome, Status
from batchrun.tally import View
from batchrun.telemetry import snapshot

RUN = "2026-11-21T010000Z-5ca1e0"
STARTED = "2026-11-21T01:00:00.000Z"
MODEL = "claude-haiku-5-5"
_FLAGS, _BACKENDS = RequestFlags(), {"claude": BackendSpeech("claude")}
_BLOCK = 1 << 20
_WORDS = ("label", "classify", "translate", "compare", "the", "a", "of", "river", "harbour", "market", "winter")


@dataclass(frozen=True, slots=True)
class Made:
    """`jobs` is the job file whose every item is finished; `more_jobs` has `pending` items besides, among them."""

    jobs: Path
    more_jobs: Path
    state: StateDir
    items: int
    pending: int

    @property
    def first_id(self) -> str:
        return _id_of(0)


def make_state(directory: Path, items: int, pending: int) -> Made:
    """Lay it down in an empty directory. Takes some 20 s and little memory for a million items.

    Raises OSError.
    """
    state = StateDir(directory / "jobs.batchrun")
    state.create()
    made = Made(directory / "jobs.jsonl", directory / "more.jsonl", state, items, pending)
    header = Header(RUN, "", "0" * 16, STARTED, simulated=True)
    with (
        made.jobs.open("wb", _BLOCK) as jobs,
        made.more_jobs.open("wb", _BLOCK) as more,
        state.results.open("wb", _BLOCK) as results,
        state.checkpoint.open("wb", _BLOCK) as checkpoints,
    ):
        checkpoints.write(encode_header(Kind.CHECKPOINT, header))
        offset = results.write(encode_header(Kind.RESULTS, header))
        every = items // pending if pending else items + 1
        for number, (line, outcome) in enumerate(_finished(items), start=1):
            jobs.write(line)
            more.write(line)
            if number % every == 0 and number <= every * pending:
                more.write(_job_line(f"pending-{number:07d}", "something new"))
            result = encode_result(outcome)
            checkpoints.write(encode_checkpoint(outcome, offset, len(result)))
            offset += results.write(result)
    _tell_the_run(made)
    return made


def run_start(made: Made, pid: int, host: str, started: str = STARTED) -> RunStart:
    """What a run of all the items says at its start."""
    return RunStart(
        run=RUN,
        started=started,
        pid=pid,
        host=host,
        version="",
        jobs=str(made.jobs),
        jobs_sha256="",
        args=["run", str(made.jobs), "--simulate"],
        total=made.items,
        pending=made.items,
        model=MODEL,
        simulated=True,
        cwd=str(made.jobs.parent),
    )


def _finished(items: int) -> Iterator[tuple[bytes, Outcome]]:
    """Job lines, and how each of them ended."""
    chance = random.Random(items)
    for number in range(items):
        prompt = " ".join(chance.choices(_WORDS, k=14))
        line = _job_line(_id_of(number), prompt)
        request = parse_line(line, number + 1, _FLAGS, _BACKENDS).request
        yield line, _answered(_id_of(number), request, prompt, chance)


def _id_of(number: int) -> str:
    return f"item-{number:07d}"


def _job_line(id: str, prompt: str) -> bytes:
    return orjson.dumps({"id": id, "prompt": prompt, "max_tokens": 200}, option=orjson.OPT_APPEND_NEWLINE)


def _answered(id: str, request: str, text: str, chance: random.Random) -> Outcome:
    tokens, wall, cpu = chance.randint(20, 400), chance.uniform(0.8, 9.0), chance.uniform(0.001, 0.02)
    ttft, was_silent = chance.uniform(0.2, 0.7), chance.random() < 0.02
    measure = Measure(wall, cpu, cpu / wall, chance.uniform(0.1, 0.6), tokens, tokens / wall, ttft, tokens // 3)
    return Outcome(
        id=id,
        status=Status.DONE,
        final=True,
        measure=measure,
        attempts=1 + was_silent,
        elapsed=wall + 61.3 * was_silent,
        wasted_tokens=17 * was_silent,
        backend="claude",
        model=MODEL,
        request=request,
        started=STARTED,
        finished=timestamp(),
        stop_reason="end_turn",
        cost_usd=tokens * 5e-6,
        retried={"silent": 1} if was_silent else {},
        text=text,
        content=[{"type": "text", "text": text}],
        usage={"input_tokens": 30, "output_tokens": tokens},
    )


def _tell_the_run(made: Made) -> None:
    record_start(made.state, run_start(made, pid=1, host=""))
    record_end(made.state, RunEnd(RUN, timestamp(), 0, "finished", {"done": made.items}, {}))
    facts = {"run": RUN, "jobs": str(made.jobs), "started": STARTED, "model": MODEL}
    counts = {str(status): 0 for status in Status} | {"done": made.items}
    view = View(
        elapsed=1.0,
        total=made.items,
        finished=counts,
        pending=0,
        in_flight=0,
        backing_off=0,
        with_sinks=0,
        retries=0,
        retried={},
        wasted_tokens=0,
        again=0,
        tok_s=0.0,
        eta_s=None,
        gates={},
        cpu=None,
        cpu_ewma=None,
        last_error=None,
        stopping=None,
    )
    write_snapshot(made.state, snapshot(view, facts, {"exit_code": 0, "reason": "finished"}))
