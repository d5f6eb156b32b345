"""`bench pipeline`: short items through the whole program (gate, stream, two durable writes, telemetry), on one core.

Against a server that answers at once, on a core of its own, and beside the script that everybody writes. Both begin as
a user begins them, so that what a start costs is in the figures.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchrun.bench.command import Used, run_command
from batchrun.bench.streaming import Streams, streaming
from batchrun.bench.worker import client_core
from batchrun.errors import BatchrunError

RUN, SCRIPT = "batchrun", "script"
AT_ONCE = 64  # of the script; a run finds its own number
_MODEL = "claude-haiku-5-5"
_ANSWERS = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """So many items, each answered at once with so many tokens."""

    items: int = 5000
    tokens: int = 4


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """One program over all items, its start included. Seconds; `peak_mb` is the most that was resident."""

    program: str
    items: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def items_a_second(self) -> float:
        return self.items / self.wall_seconds

    @property
    def milliseconds_an_item(self) -> float:
        """Of CPU."""
        return self.cpu_seconds / self.items * 1e3


def measure_pipeline(plan: PipelinePlan) -> Iterator[PipelineFigures]:
    """The run, and then the script.

    Raises:
        BatchrunError: one of them did not end well, or lost an answer.
    """
    with tempfile.TemporaryDirectory(prefix="batchrun-pipeline-") as name:
        directory = Path(name)
        try:
            _write_jobs(directory / "jobs.jsonl", plan.items)
        except OSError as exc:
            raise BatchrunError(f"{name}: cannot make the job file there ({exc.strerror}); set TMPDIR") from exc
        with streaming(Streams(0.0, plan.tokens), None) as server:
            for program in (RUN, SCRIPT):
                yield PipelineFigures(program, plan.items, *_measured(program, plan, directory, server.base_url))


def _measured(program: str, plan: PipelinePlan, directory: Path, base_url: str) -> Used:
    env = {"ANTHROPIC_API_KEY": "simulated", "ANTHROPIC_BASE_URL": base_url}
    if program == RUN:
        module, words = "batchrun", ["run", "jobs.jsonl", "--base-url", base_url]
        answers, heads = directory / "jobs.batchrun" / "results.jsonl", 1
    else:
        module, words = "batchrun.bench.script", ["jobs.jsonl", _ANSWERS, str(AT_ONCE)]
        answers, heads = directory / _ANSWERS, 0
    used = run_command(program, words, module=module, core=client_core(), cwd=directory, env=env)
    with answers.open("rb") as lines:
        found = sum(1 for _ in lines) - heads
    if found != plan.items:
        raise BatchrunError(f"{program} answered {found:,} of {plan.items:,} items; is the disk full?")
    return used


def _write_jobs(path: Path, items: int) -> None:
    with path.open("w", encoding="utf-8") as jobs:
        for number in range(items):
            job = {"id": f"item-{number:06}", "model": _MODEL, "prompt": f"Say {number}.", "max_tokens": 100}
            jobs.write(json.dumps(job) + "\n")
